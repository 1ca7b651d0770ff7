"""A forest that skops holds, and an estimator with a function of the script that it does not hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from clipper_nomad.deployers import sklearn
from tests.support.frameworks.case import Case, deployer, run

_COLUMNS = 5


def make_case() -> Case:
    """Return the case."""
    random = np.random.default_rng(7)
    x = random.normal(size=(600, _COLUMNS))
    y = np.sin(x).sum(axis=1)
    forest = RandomForestRegressor(10, random_state=1).fit(x, y)
    pipeline = make_pipeline(FunctionTransformer(_bend), LinearRegression()).fit(x, y)
    held_out = random.normal(size=(200, _COLUMNS))
    return Case(
        name="sklearn",
        input_type="doubles",
        rows=held_out.tolist(),
        answers=forest.predict(held_out).tolist(),
        others=pipeline.predict(held_out).tolist(),
        deploy=deployer(sklearn.deploy_sklearn_model, "doubles", forest),
        deploy_other=deployer(sklearn.deploy_sklearn_model, "doubles", pipeline),
        deploy_broken=deployer(sklearn.deploy_sklearn_model, "doubles", LinearRegression()),
        wrong_input=[1.0, 2.0],
    )


def _bend(x: Any) -> Any:
    return np.tanh(x)


if __name__ == "__main__":
    run(make_case)

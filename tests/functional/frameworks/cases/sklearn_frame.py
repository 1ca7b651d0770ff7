"""A pipeline over named columns of a DataFrame, which texts of JSON objects are sent to."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from clipper_nomad.deployers import sklearn
from tests.support.frameworks.case import Case, deployer, run

_COLUMNS = 5


def make_case() -> Case:
    """Return the case."""
    random = np.random.default_rng(7)
    x = random.normal(size=(600, _COLUMNS))
    frame = _make_frame(random, x)
    y = x[:, 0] + (frame["color"] == "red")
    line = make_pipeline(_make_columns(), LinearRegression()).fit(frame, y)
    tree = make_pipeline(_make_columns(), DecisionTreeRegressor(random_state=1)).fit(frame, y)
    held_out = _make_frame(random, random.normal(size=(200, _COLUMNS)))
    return Case(
        name="sklearn-frame",
        input_type="strings",
        rows=[json.dumps(row) for row in held_out.to_dict("records")],
        answers=line.predict(held_out).tolist(),
        others=tree.predict(held_out).tolist(),
        deploy=deployer(sklearn.deploy_sklearn_model, "strings", line),
        deploy_other=deployer(sklearn.deploy_sklearn_model, "strings", tree),
        deploy_broken=deployer(
            sklearn.deploy_sklearn_model, "strings", make_pipeline(_make_columns(), LinearRegression())
        ),
        wrong_input='{"size": 1.0, "weight": 2.0}',
    )


def _make_frame(random: Any, x: Any) -> Any:
    colors = random.choice(["red", "green", "blue"], size=len(x))
    return pd.DataFrame({"size": x[:, 0], "weight": x[:, 1], "color": colors})


def _make_columns() -> Any:
    return make_column_transformer((StandardScaler(), ["size", "weight"]), (OneHotEncoder(), ["color"]))


if __name__ == "__main__":
    run(make_case)

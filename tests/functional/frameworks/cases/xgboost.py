"""A Booster of XGBoost's, and a classifier in its place."""

from __future__ import annotations

import numpy as np
import xgboost as xgb

from clipper_nomad.deployers import xgboost
from tests.support.frameworks.case import Case, deployer, run

_COLUMNS = 5


def make_case() -> Case:
    """Return the case."""
    random = np.random.default_rng(7)
    x = random.normal(size=(600, _COLUMNS))
    booster = xgb.train({"nthread": 7}, xgb.DMatrix(x, np.sin(x).sum(axis=1)), num_boost_round=20)
    classifier = xgb.XGBClassifier(n_estimators=10).fit(x, np.digitize(x[:, 0], [-0.5, 0.5]))
    held_out = random.normal(size=(200, _COLUMNS))
    return Case(
        name="xgboost",
        input_type="doubles",
        rows=held_out.tolist(),
        answers=booster.inplace_predict(held_out.astype("f4")).tolist(),
        others=classifier.predict(held_out).tolist(),
        deploy=deployer(xgboost.deploy_xgboost_model, "doubles", booster),
        deploy_other=deployer(xgboost.deploy_xgboost_model, "doubles", classifier),
        deploy_broken=deployer(xgboost.deploy_xgboost_model, "doubles", xgb.XGBClassifier()),
        wrong_input=[1.0, 2.0],
    )


if __name__ == "__main__":
    run(make_case)

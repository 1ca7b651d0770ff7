"""A Booster of LightGBM's, and a classifier with named classes in its place."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from clipper_nomad.deployers import lightgbm
from tests.support.frameworks.case import Case, deployer, run

_COLUMNS = 5


def make_case() -> Case:
    """Return the case."""
    random = np.random.default_rng(7)
    x = random.normal(size=(600, _COLUMNS))
    settings = {"verbose": -1, "num_threads": 7}
    booster = lgb.train(settings, lgb.Dataset(x, np.sin(x).sum(axis=1)), num_boost_round=20)
    names = np.array(["low", "middle", "high"])[np.digitize(x[:, 0], [-0.5, 0.5])]
    classifier = lgb.LGBMClassifier(n_estimators=10, verbose=-1).fit(x, names)
    held_out = random.normal(size=(200, _COLUMNS))
    return Case(
        name="lightgbm",
        input_type="doubles",
        rows=held_out.tolist(),
        answers=booster.predict(held_out).tolist(),
        others=classifier.predict(held_out).tolist(),
        deploy=deployer(lightgbm.deploy_lightgbm_model, "doubles", booster),
        deploy_other=deployer(lightgbm.deploy_lightgbm_model, "doubles", classifier),
        deploy_broken=deployer(lightgbm.deploy_lightgbm_model, "doubles", lgb.LGBMClassifier()),
        wrong_input=[1.0, 2.0],
    )


if __name__ == "__main__":
    run(make_case)

"""Models of XGBoost."""

from __future__ import annotations

from tests.support.frameworks.checks import FrameworkChecks


class TestXGBoost(FrameworkChecks):
    """A Booster, and a classifier in its place."""

    environment = "light"
    case = "xgboost"
    wrong_input = "Feature shape mismatch"
    broken = "Fit it first"

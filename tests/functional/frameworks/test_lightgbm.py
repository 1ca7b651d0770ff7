"""Models of LightGBM."""

from __future__ import annotations

from tests.support.frameworks.checks import FrameworkChecks


class TestLightGBM(FrameworkChecks):
    """A Booster, and a classifier with named classes in its place."""

    environment = "light"
    case = "lightgbm"
    wrong_input = "The number of features in data (2) is not the same as it was in training data (5)"
    broken = "Fit it first"

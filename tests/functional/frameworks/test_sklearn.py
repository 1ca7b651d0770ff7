"""Estimators and pipelines of scikit-learn."""

from __future__ import annotations

from tests.support.frameworks.checks import FrameworkChecks


class TestSklearn(FrameworkChecks):
    """A forest by skops, and a pipeline by pickle in its place."""

    environment = "light"
    case = "sklearn"
    wrong_input = "X has 2 features, but RandomForestRegressor is expecting 5 features as input"
    broken = "is not fitted yet"


class TestFrames(FrameworkChecks):
    """A pipeline over the columns of a DataFrame."""

    environment = "light"
    case = "sklearn_frame"
    wrong_input = "the input lacks color: null stands for a missing value"
    broken = "is not fitted yet"

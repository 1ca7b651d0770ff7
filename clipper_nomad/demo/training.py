"""The demo's models: two regressions on scikit-learn's diabetes data, and rows held out from both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clipper_nomad.errors import ClipperException

_SEED = 1337
_HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class Training:
    """The trained regressions by version, and the held-out rows as a matrix (n, 10) of doubles."""

    regressions: dict[str, Any]
    rows: Any

    def expected(self, version: str) -> list[float]:
        """Return the predictions of a version's own predict() for the held-out rows."""
        return [float(value) for value in self.regressions[version].predict(self.rows)]


def train() -> Training:
    """Train version 1, and version 2 with a penalty on large weights.

    Raises ClipperException if scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_diabetes
        from sklearn.linear_model import LinearRegression, Ridge
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ClipperException(
            f"The demo needs scikit-learn ({error}): install it with `pip install clipper-nomad[demo]`."
        ) from error
    inputs, targets = load_diabetes(return_X_y=True)
    rows, held_out, targets, _ = train_test_split(
        inputs, targets, test_size=_HELD_OUT_SHARE, random_state=_SEED
    )
    regressions = {"1": LinearRegression().fit(rows, targets), "2": Ridge(alpha=0.5).fit(rows, targets)}
    return Training(regressions, held_out)

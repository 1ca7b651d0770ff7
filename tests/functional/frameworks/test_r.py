"""Models of R's, through a real cluster."""

from __future__ import annotations

import pytest

from tests.support.frameworks.checks import FrameworkChecks
from tests.support.frameworks.r import require_r


@pytest.fixture(scope="class", autouse=True)
def _r() -> None:
    require_r()


class TestR(FrameworkChecks):
    """A function with its globals, which prints, and then a fitted model."""

    environment = "light"
    case = "r"
    wrong_input = "object 'V3' not found"
    broken = "unknown input format"

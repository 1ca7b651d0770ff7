"""Fixtures of the hostile suite: its counts, and the cluster that most of its modules aim at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.hostile.budget import SECONDS
from tests.support.hostile.counts import PROPERTY, Counts
from tests.support.hostile.served import Served

#: What starts and ends of clusters take on top of a module's time, on a machine that does much else.
_ASIDE_S = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the time that they are run for."""
    for item in items:
        if "counts" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(SECONDS + _ASIDE_S))


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> Iterator[Counts]:
    """The counts of a module, which the summary shows."""
    made = Counts(request.node.name.removeprefix("test_").replace("_", " "))
    yield made
    request.node.user_properties.append((PROPERTY, made.line()))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A cluster that serves two models."""
    with Served(tmp_path_factory.mktemp("hostile")) as cluster:
        yield cluster

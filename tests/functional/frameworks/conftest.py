"""Fixtures of the frameworks' tests: the environment of a class, and the record of its case."""

from __future__ import annotations

import pytest

from clipper_nomad.types import ClusterSpec
from tests.support.frameworks.case import Seen
from tests.support.frameworks.checks import run_case
from tests.support.frameworks.environments import FrameworkEnvironment, provide_environment
from tests.support.local_clusters import LocalCluster


@pytest.fixture(scope="class")
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FrameworkEnvironment:
    """The Python with the framework of this class."""
    return provide_environment(request.cls.environment, tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="class")
def seen(
    request: pytest.FixtureRequest, python: FrameworkEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Seen:
    """The record of this class's case, in a cluster of its own."""
    with LocalCluster(tmp_path_factory.mktemp("state")) as cluster:
        cluster.make_manager().start_clipper(ClusterSpec())
        return run_case(python, request.cls.case, cluster.state_root)

"""Fixtures of the local manager's tests: a running cluster for each module, and a manager of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clipper_nomad.managers.local import LocalContainerManager
from clipper_nomad.types import ClusterSpec
from tests.support.local_clusters import LocalCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A running cluster, which the tests of one module share."""
    with LocalCluster(tmp_path_factory.mktemp("state")) as made:
        made.make_manager().start_clipper(ClusterSpec())
        yield made


@pytest.fixture
def manager(cluster: LocalCluster) -> Iterator[LocalContainerManager]:
    """A connected manager of the cluster, which runs no replicas after the test."""
    made = cluster.make_manager()
    made.connect()
    yield made
    made.stop_models(list(made.get_replicas()))

"""Fixtures of system tests: places of clusters on a real Docker engine, clusters of nodes, and the files
that Terraform renders for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import docker
import pytest

from clipper_nomad.images import ImageSettings
from tests.contract.harness import DockerHarness
from tests.support.docker.engine import MissingServiceError, give_up
from tests.support.nodes.cluster import NodeCluster
from tests.support.nodes.example import RenderedExample, render_example
from tests.support.tofu.access import find_tofu


@pytest.fixture
def harness(docker_client: docker.DockerClient, image_settings: ImageSettings) -> Iterator[DockerHarness]:
    """The place of a cluster of containers, of which nothing is left after the test."""
    with DockerHarness(docker_client, image_settings) as made:
        yield made


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> RenderedExample:
    """The example of terraform/modules/nodes, rendered once for all tests: nothing changes it."""
    return render_example(find_tofu(), tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def node_cluster() -> Iterator[NodeCluster]:
    """Three servers, two clients and an edge, for one module's tests alone: idle agents load the machine."""
    with contextlib.ExitStack() as stack:
        try:
            cluster = stack.enter_context(NodeCluster())
        except MissingServiceError as error:
            give_up(str(error))
        yield cluster

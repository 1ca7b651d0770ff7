"""What system tests share: places of clusters on a real Docker engine."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from clipper_nomad.images import ImageSettings
from tests.contract.harness import DockerHarness


@pytest.fixture
def harness(docker_client: docker.DockerClient, image_settings: ImageSettings) -> Iterator[DockerHarness]:
    """The place of a cluster of containers, of which nothing is left after the test."""
    with DockerHarness(docker_client, image_settings) as made:
        yield made

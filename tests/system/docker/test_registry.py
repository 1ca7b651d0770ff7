"""Images that are pushed to a registry and pulled from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.images import ImageSettings, build_component_images
from tests.contract.harness import DockerHarness
from tests.support.docker.engine import Registry
from tests.support.frontends.cluster import predict
from tests.support.models import row_sums

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def pushed(
    docker_client: docker.DockerClient, image_settings: ImageSettings, registry: Registry
) -> Iterator[ImageSettings]:
    """Settings of a registry that has the project's images; the engine does not have them by that name."""
    settings = replace(image_settings, registry=registry.address)
    references = build_component_images(docker_client, settings, push=True).values()
    remove(docker_client, *references)
    yield settings
    remove(docker_client, *references)


def remove(client: docker.DockerClient, *references: str) -> None:
    for reference in references:
        if client.images.list(reference):
            client.images.remove(reference, force=True)


def test_a_pushed_image_is_deployed_from_the_registry(
    docker_client: docker.DockerClient, pushed: ImageSettings, harness: DockerHarness, tmp_path: Path
) -> None:
    connection = ClipperConnection(harness.make_manager(images=pushed))
    connection.start_clipper()
    connection.register_application("app", "doubles", "none", 2_000_000)
    folder = tmp_path / "model"
    save_closure(row_sums(), folder)
    image = connection.build_model("sums", 1, folder, "default")
    assert image.startswith(f"{pushed.registry}/{harness.cluster_name}-sums@sha256:")
    remove(docker_client, f"{pushed.registry}/{harness.cluster_name}-sums:1", image)
    assert not docker_client.images.list(f"{pushed.registry}/{harness.cluster_name}-sums")

    connection.deploy_model("sums", 1, "doubles", image)
    connection.link_model_to_app("app", "sums")
    assert predict(connection.get_query_addr(), "app", input=[1.0, 2.0])["output"] == 3.0
    connection.stop_all()
    remove(docker_client, image)

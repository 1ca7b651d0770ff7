"""A container that follows Clipper's RPC version 3 to the letter, in an image of its own, beside ours."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.images import ImageSettings
from tests.contract.harness import DockerHarness
from tests.support.frontends.cluster import predict
from tests.support.models import row_sums
from tests.support.paths import LETTER

_IMAGE = "clipper-tests-letter:1"
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="session")
def letter_image(docker_client: docker.DockerClient, image_settings: ImageSettings) -> str:
    """The image of the container that follows Clipper to the letter."""
    docker_client.images.build(
        path=str(LETTER),
        tag=_IMAGE,
        network_mode=image_settings.build_network,
        buildargs={"BASE_IMAGE": image_settings.base_image},
        rm=True,
    )
    return _IMAGE


def test_it_is_deployed_and_answers_beside_ours(
    letter_image: str, harness: DockerHarness, tmp_path: Path
) -> None:
    connection = ClipperConnection(harness.make_manager())
    connection.start_clipper()
    connection.deploy_model("theirs", 1, "doubles", letter_image, num_replicas=2)
    save_closure(row_sums(), tmp_path / "model")
    ours = connection.build_model("ours", 1, tmp_path / "model", "default")
    connection.deploy_model("ours", 1, "doubles", ours)
    for model in ("theirs", "ours"):
        connection.register_application(f"{model}-app", "doubles", "none", 2_000_000)
        connection.link_model_to_app(f"{model}-app", model)
    address = connection.get_query_addr()
    assert predict(address, "theirs-app", input=[1.0, 2.0])["output"] == "letter 3.0"
    assert predict(address, "ours-app", input=[1.0, 2.0])["output"] == 3.0
    connection.set_num_replicas("theirs", 1)
    assert predict(address, "theirs-app", input=[2.0, 2.0])["output"] == "letter 4.0"

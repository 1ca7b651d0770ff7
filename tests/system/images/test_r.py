"""A base image with R, as the page of R's models has it, and a model on it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from clipper_nomad.images import ImageSettings, build_model_image, component_image
from clipper_nomad.images.names import PYTHON_RUNTIME
from clipper_nomad.types import BuildSpec, ModelVersion
from tests.support.frameworks.r import R, require_r
from tests.support.paths import REPOSITORY

pytestmark = pytest.mark.timeout(900)

BASE = "clipper-test-r-base"
CLUSTER = "clipper-test-r"


@pytest.fixture
def base(docker_client: docker.DockerClient, image_settings: ImageSettings) -> Iterator[str]:
    """The base image of the page."""
    page = (REPOSITORY / "containers" / "r" / "README.md").read_text()
    found = re.search(r"```dockerfile\n(.*?)```", page, re.DOTALL)
    assert found is not None
    docker_client.images.build(
        fileobj=io.BytesIO(found[1].encode()),
        tag=BASE,
        buildargs={**image_settings.build_args, "RUNTIME": component_image(PYTHON_RUNTIME, image_settings)},
        network_mode=image_settings.build_network,
        rm=True,
    )
    yield BASE
    for image in docker_client.images.list(f"{CLUSTER}-sums"):
        docker_client.images.remove(image.id, force=True)
    # Its tag alone: the builder's cache has stages that start from it.
    docker_client.images.remove(BASE)


def test_a_model_answers_its_sample_on_the_base_image_of_the_page(
    docker_client: docker.DockerClient, image_settings: ImageSettings, base: str, tmp_path: Path
) -> None:
    require_r()
    R(tmp_path).save("save_model(function(matrix) rowSums(matrix), c(1, 2), 'sums')", tmp_path)
    spec = BuildSpec(ModelVersion("sums", "1"), tmp_path / "sums", base)
    image = build_model_image(docker_client, spec, CLUSTER, image_settings, lambda line: None)
    log = docker_client.containers.run(image, ["--check"], remove=True, stderr=True)
    assert b"cannot load" not in log

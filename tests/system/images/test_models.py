"""Models' images on a real engine: built fast, holding what they need, and telling what went wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import docker.errors
import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LinearRegression

from clipper_container.kinds.closure import save_closure
from clipper_nomad.deployers.packing.closure import packed_closure
from clipper_nomad.errors import BuildError, ContainerManagerError
from clipper_nomad.images import ImageSettings, build_model_image
from clipper_nomad.images.clippers import find_saved_by
from clipper_nomad.types import BuildSpec, ModelVersion
from tests.support.docker.engine import give_up
from tests.support.docker.package_index import PACKAGE, USERNAME, PackageIndex

pytestmark = pytest.mark.timeout(600)

CLUSTER = "clipper-test-images"
MODEL = ModelVersion("sums", "1")
PASSWORD = "p/w of the index"

Build = Callable[..., Any]


@pytest.fixture
def build(
    docker_client: docker.DockerClient, image_settings: ImageSettings, tmp_path: Path
) -> Iterator[Build]:
    """Return what builds a model of a function, and returns the image."""

    def build_one(func: Any, *packages: str, **settings: Any) -> Any:
        save_closure(func, tmp_path / "model")
        spec = BuildSpec(MODEL, tmp_path / "model", settings.pop("base_image", "default"), None, packages)
        progress = settings.pop("progress", lambda line: None)
        reference = build_model_image(
            docker_client, spec, CLUSTER, replace(image_settings, **settings), progress
        )
        return docker_client.images.get(reference)

    yield build_one
    for image in docker_client.images.list(f"{CLUSTER}-{MODEL.name}"):
        docker_client.images.remove(image.id, force=True)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PackageIndex]:
    """A private package index."""
    try:
        made = PackageIndex(tmp_path, PASSWORD)
    except FileNotFoundError as error:
        give_up(str(error))
        raise
    with made:
        yield made


def python(client: docker.DockerClient, image: Any, script: str) -> str:
    return (
        bytes(client.containers.run(image.id, ["-c", script], entrypoint="python", remove=True))
        .decode()
        .strip()
    )


def load(client: docker.DockerClient, image: Any) -> None:
    """Load the model in the image as a replica does; raises when that fails."""
    client.containers.run(image.id, ["--check"], remove=True)


def test_a_change_of_the_function_alone_is_built_in_seconds_without_the_network(
    docker_client: docker.DockerClient, build: Build
) -> None:
    first = build(lambda xs: ["first" for _ in xs])
    start_s = time.monotonic()
    second = build(lambda xs: ["second" for _ in xs], build_network="none")
    assert time.monotonic() - start_s < 5
    assert second.id != first.id
    assert second.tags == [f"{CLUSTER}-{MODEL.name}:{MODEL.version}"]
    load(docker_client, second)
    assert second.attrs["RootFS"]["Layers"][:-1] == first.attrs["RootFS"]["Layers"][:-1]


def test_a_model_without_packages_is_small_and_needs_no_network(
    docker_client: docker.DockerClient, image_settings: ImageSettings, build: Build
) -> None:
    script = (
        "import importlib.metadata as m; print(*(f'{n}=={m.version(n)}' for n in ('numpy', 'cloudpickle')))"
    )
    pins = python(docker_client, build(len), script).split()
    image = build(lambda xs: [str(np.sum(x)) for x in xs], *pins, build_network="none")
    load(docker_client, image)
    base = docker_client.images.get(image_settings.component_base).attrs["Size"]
    assert image.attrs["Size"] - base <= 120 * 1_000_000
    script = (
        "import importlib.util as u; others = 'aiohttp docker clipper_nomad clipper_frontend pip'.split(); "
        "print([name for name in others if u.find_spec(name)])"
    )
    assert python(docker_client, image, script) == "[]"


def test_the_model_runs_as_another_user_than_root_on_its_own_path(
    docker_client: docker.DockerClient, build: Build
) -> None:
    image = build(len)
    script = "import os, sys; print(os.getuid(), sys.prefix, os.listdir(os.environ['CLIPPER_MODEL_PATH']))"
    found = python(docker_client, image, script)
    assert found.startswith("10001 /opt/model [")
    assert "func.pkl" in found


def test_a_fitted_model_meets_the_version_it_was_fitted_with(
    docker_client: docker.DockerClient, build: Build
) -> None:
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    with packed_closure(model.predict) as packed:
        image = build(model.predict, *(packed.pkgs_to_install or ()))
    load(docker_client, image)
    script = "import numpy, sklearn; print(sklearn.__version__, numpy.__version__)"
    assert python(docker_client, image, script) == f"{sklearn.__version__} {np.__version__}"


def test_a_private_index_is_used_and_its_credentials_stay_behind(
    docker_client: docker.DockerClient, build: Build, index: PackageIndex
) -> None:
    lines: list[str] = []
    image = build(
        lambda xs: xs,
        PACKAGE,
        index_url=index.url,
        index_username=USERNAME,
        index_password=PASSWORD,
        ca_certificates=(index.certificate,),
        progress=lines.append,
    )
    assert python(docker_client, image, "import clipper_tiny; print(clipper_tiny.VALUE)") == "7"
    secrets = [PASSWORD.encode(), b"p%2Fw%20of"]
    history = str(image.history()).encode()
    assert any(PACKAGE in line for line in lines)
    assert not any(secret in text for secret in secrets for text in (history, "\n".join(lines).encode()))
    assert not any(secret in saved for secret in secrets for saved in overlapping(image.save()))


def overlapping(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks, each with the end of the one before."""
    end = b""
    for chunk in chunks:
        yield end + chunk
        end = chunk[-64:]


def test_wrong_credentials_fail_without_being_told(build: Build, index: PackageIndex) -> None:
    with pytest.raises(BuildError, match=rf"{PACKAGE} could not be installed") as caught:
        build(
            len,
            PACKAGE,
            index_url=index.url,
            index_username=USERNAME,
            index_password="another word",
            ca_certificates=(index.certificate,),
        )
    assert "another" not in caught.value.msg


def test_a_package_that_is_not_there_is_named_with_the_builders_last_lines(build: Build) -> None:
    with pytest.raises(BuildError, match=r"clipper-absent==1\.0 could not be installed") as caught:
        build(len, "clipper-absent==1.0")
    assert "No matching distribution found" in caught.value.msg
    assert "pkgs_to_install" in caught.value.msg


def test_what_the_runtime_cannot_run_with_is_refused(build: Build) -> None:
    with pytest.raises(BuildError, match=r"prometheus.client==0\.1\.1"):
        build(len, "prometheus_client==0.1.1")


def test_a_python_for_which_there_is_no_runtime_is_told_before_anything_is_built(build: Build) -> None:
    lines: list[str] = []
    with pytest.raises(ContainerManagerError, match=r"py3\.13.*images build --python-version 3\.13"):
        build(len, python_version="3.13", progress=lines.append)
    assert not any(line.startswith("Building") for line in lines)


def test_a_base_image_of_another_python_is_refused(build: Build) -> None:
    own = build(len).tags[0]
    with pytest.raises(BuildError, match=r"runtime of Python 3\.11, but the model needs Python 3\.12"):
        build(len, base_image=own, python_version="3.12")


def test_an_image_of_another_kind_gets_the_folder_alone(
    docker_client: docker.DockerClient, build: Build, base_image: str
) -> None:
    image = build(len, base_image=base_image)
    command = ["sh", "-c", "ls /model; echo $CLIPPER_MODEL_PATH"]
    listed = bytes(docker_client.containers.run(image.id, command, remove=True)).decode().split()
    assert "func.pkl" in listed
    assert listed[-1] == "/model"
    with pytest.raises(
        BuildError, match=r"Could not install numpy.*does not start from this project's Python runtime"
    ):
        build(len, "numpy", base_image=base_image)


def test_a_base_image_that_cannot_load_the_function_is_refused(
    docker_client: docker.DockerClient, image_settings: ImageSettings, base_image: str, tmp_path: Path
) -> None:
    save_closure(len, tmp_path)
    manifest = tmp_path / "model.json"
    saved_by = find_saved_by(tmp_path)
    manifest.write_text(manifest.read_text().replace(f'"{saved_by}"', '"3.9"'))
    spec = BuildSpec(MODEL, tmp_path, base_image)
    with pytest.raises(BuildError, match=rf"has Python {saved_by}, and Python 3\.9 pickled the function"):
        build_model_image(docker_client, spec, CLUSTER, image_settings, lambda line: None)

"""Images in a real registry: pushed, pulled, and with credentials from wherever Docker has them."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import docker
import docker.errors
import pytest

from clipper_nomad.errors import BuildError
from clipper_nomad.images import ImageSettings, build_model_image, connect_engine, resolve_image
from clipper_nomad.types import BuildSpec, ModelVersion
from tests.support.docker.engine import MissingServiceError, Registry, give_up

pytestmark = pytest.mark.timeout(300)

EMPTY = "clipper-test-empty:1"
MODEL = ModelVersion("small", "1")
PASSWORD = "the word"

Build = Callable[..., str]


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry with a password."""
    try:
        made = Registry(tmp_path_factory.mktemp("private"), password=PASSWORD)
    except MissingServiceError as error:
        give_up(str(error))
        raise
    with made:
        yield made


@pytest.fixture
def empty(docker_client: docker.DockerClient) -> Iterator[str]:
    """An image with next to nothing in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("empty"))
    docker_client.api.import_image_from_data(buffer.getvalue(), *EMPTY.split(":"))
    yield EMPTY
    docker_client.images.remove(EMPTY, force=True)


@pytest.fixture
def build(docker_client: docker.DockerClient, empty: str, tmp_path: Path) -> Iterator[Build]:
    """Return what builds and pushes a small model, and returns what runs."""
    built = []

    def build_one(
        settings: ImageSettings, text: str = "", client: docker.DockerClient = docker_client
    ) -> str:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / "model.json").write_text(text)
        built.append(settings.registry)
        return build_model_image(
            client, BuildSpec(MODEL, folder, empty), "clipper-test", settings, lambda _: None
        )

    yield build_one
    for registry in built:
        with suppress(docker.errors.ImageNotFound):
            docker_client.images.remove(f"{registry}/clipper-test-small:1", force=True)


def test_what_was_pushed_is_named_by_its_digest_and_can_be_pulled(
    docker_client: docker.DockerClient, build: Build, registry: Registry
) -> None:
    settings = ImageSettings(registry=registry.address)
    first = build(settings, "first")
    second = build(settings, "second")
    repository = f"{registry.address}/clipper-test-small"
    assert first.startswith(f"{repository}@sha256:")
    assert second.startswith(f"{repository}@sha256:")
    assert first != second
    docker_client.images.remove(f"{repository}:1", force=True)
    for reference in (first, second):
        with suppress(docker.errors.ImageNotFound):
            docker_client.images.remove(reference, force=True)
    # The tag has moved on; the digest has not.
    pulled = docker_client.images.get(resolve_image(docker_client, first, settings))
    assert first in pulled.attrs["RepoDigests"]
    docker_client.images.remove(pulled.id, force=True)


def test_the_deployers_registry_comes_before_the_settings(
    docker_client: docker.DockerClient, registry: Registry, empty: str, tmp_path: Path
) -> None:
    spec = BuildSpec(MODEL, tmp_path, empty, f"{registry.address}/team")
    settings = ImageSettings(registry="127.0.0.1:9")
    pushed = build_model_image(docker_client, spec, "clipper-test", settings, lambda _: None)
    assert pushed.startswith(f"{registry.address}/team/clipper-test-small@")
    docker_client.images.remove(f"{registry.address}/team/clipper-test-small:1", force=True)


def test_a_registry_that_is_not_there_is_named(build: Build) -> None:
    with pytest.raises(BuildError, match=r"registry 127\.0\.0\.1:9: .*refused"):
        build(ImageSettings(registry="127.0.0.1:9"))


def test_a_registry_that_asks_for_a_password_says_so(build: Build, private: Registry) -> None:
    with pytest.raises(BuildError, match=rf"registry {private.address}: .*(no basic auth|unauthorized)"):
        build(ImageSettings(registry=private.address))
    wrong = ImageSettings(registry=private.address, registry_username="clipper", registry_password="wrong")
    with pytest.raises(BuildError, match="registry_username") as caught:
        build(wrong)
    assert "wrong" not in caught.value.msg


def test_credentials_that_are_given_are_used(build: Build, private: Registry) -> None:
    settings = ImageSettings(registry=private.address)
    given = replace(settings, registry_username=Registry.USERNAME, registry_password=PASSWORD)
    assert build(given).startswith(private.address)


def test_credentials_are_taken_from_dockers_config(
    build: Build, private: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = base64.b64encode(f"{Registry.USERNAME}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {private.address: {"auth": auth}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with closing(connect_engine()) as client:
        assert build(ImageSettings(registry=private.address), client=client).startswith(private.address)


def test_credentials_are_taken_from_a_credential_helper(
    build: Build, private: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-clippertest"
    answer = json.dumps({"ServerURL": private.address, "Username": Registry.USERNAME, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{answer}'\n")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {private.address: "clippertest"}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with closing(connect_engine()) as client:
        assert build(ImageSettings(registry=private.address), client=client).startswith(private.address)

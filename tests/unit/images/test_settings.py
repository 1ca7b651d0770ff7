"""Settings of images: given, from the environment, and secret ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clipper_nomad.errors import ClipperException
from clipper_nomad.images import ImageSettings

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_the_python_is_the_callers() -> None:
    assert ImageSettings().python_version == OWN
    assert ImageSettings().component_base == f"python:{OWN}-slim-bookworm"
    assert ImageSettings(python_version="3.12").component_base == "python:3.12-slim-bookworm"
    assert ImageSettings(base_image="mine:1").component_base == "mine:1"


def test_the_environment_gives_all_settings() -> None:
    environment = {
        "CLIPPER_REGISTRY": "registry:5000/team",
        "CLIPPER_BASE_IMAGE": "base",
        "CLIPPER_PYTHON_VERSION": "3.12",
        "CLIPPER_BUILD_NETWORK": "host",
        "CLIPPER_BUILD_ARGS": "HTTPS_PROXY=http://proxy:1/?a=b OTHER=2",
        "CLIPPER_INDEX_URL": "https://index/simple",
        "CLIPPER_EXTRA_INDEX_URLS": "https://a https://b",
        "CLIPPER_INDEX_USERNAME": "reader",
        "CLIPPER_INDEX_PASSWORD": "one",
        "CLIPPER_CA_CERTIFICATES": "/a.pem:/b.pem",
        "CLIPPER_REGISTRY_USERNAME": "pusher",
        "CLIPPER_REGISTRY_PASSWORD": "two",
    }
    assert ImageSettings.from_environment(environment) == ImageSettings(
        registry="registry:5000/team",
        base_image="base",
        python_version="3.12",
        build_network="host",
        build_args={"HTTPS_PROXY": "http://proxy:1/?a=b", "OTHER": "2"},
        index_url="https://index/simple",
        extra_index_urls=("https://a", "https://b"),
        index_username="reader",
        index_password="one",
        ca_certificates=(Path("/a.pem"), Path("/b.pem")),
        registry_username="pusher",
        registry_password="two",
    )


def test_an_empty_environment_gives_the_defaults() -> None:
    assert ImageSettings.from_environment({}) == ImageSettings()
    assert ImageSettings.from_environment({"CLIPPER_REGISTRY": ""}) == ImageSettings()


@pytest.mark.parametrize("registry", ["https://registry", "registry/", "two words", "", "r:port"])
def test_a_registry_is_a_host_and_maybe_a_port_and_path(registry: str) -> None:
    with pytest.raises(ClipperException, match="host"):
        ImageSettings(registry=registry)


@pytest.mark.parametrize("registry", ["r", "r:5000", "r.example/a/b", "127.0.0.1:5000", "[::1]:5000"])
def test_registries_are_taken_in_all_forms(registry: str) -> None:
    assert ImageSettings(registry=registry).registry == registry


@pytest.mark.parametrize("python_version", ["3", "3.11.2", "python3", "2.7"])
def test_a_python_is_a_minor_version(python_version: str) -> None:
    with pytest.raises(ClipperException, match="minor"):
        ImageSettings(python_version=python_version)


def test_the_index_is_told_to_pip_with_its_credentials() -> None:
    settings = ImageSettings(
        index_url="https://index:8443/simple/",
        extra_index_urls=("https://a", "https://u:p@b"),
        index_username="a@b",
        index_password="p/w",
    )
    assert settings.pip_args() == {
        "PIP_INDEX_URL": "https://a%40b:p%2Fw@index:8443/simple/",
        "PIP_EXTRA_INDEX_URL": "https://a https://u:p@b",
    }
    assert ImageSettings().pip_args() == {}


def test_what_is_secret_is_known_and_never_shown() -> None:
    settings = ImageSettings(
        index_url="https://u:in%2Furl@index",
        extra_index_urls=("https://u:extra@b",),
        index_password="p/w",
        registry_password="pushing",
        build_args={"HTTPS_PROXY": "http://u:proxying@proxy"},
    )
    secrets = settings.secrets()
    assert {"in%2Furl", "in/url", "extra", "p/w", "p%2Fw", "pushing", "proxying"} == set(secrets)
    assert [len(secret) for secret in secrets] == sorted(map(len, secrets), reverse=True)
    assert not any(secret in repr(settings) for secret in secrets)


def test_credentials_are_given_whole_or_left_to_docker() -> None:
    given = ImageSettings(registry_username="u", registry_password="p")
    assert given.auth_config == {"username": "u", "password": "p"}
    assert ImageSettings(registry_username="u").auth_config is None

"""Names of images."""

from __future__ import annotations

import pytest

from clipper_nomad import __version__
from clipper_nomad.images import COMPONENTS, ImageSettings, component_image, model_image
from clipper_nomad.images.names import registry_of, split_reference
from clipper_nomad.types import ModelVersion

MODEL = ModelVersion("sums", "2")


def test_components_are_tagged_with_the_projects_version() -> None:
    settings = ImageSettings(python_version="3.12")
    assert [component_image(component, settings) for component in COMPONENTS] == [
        f"clipper-nomad-query-frontend:{__version__}",
        f"clipper-nomad-management-frontend:{__version__}",
        f"clipper-nomad-redis:{__version__}",
        f"clipper-nomad-python-runtime:{__version__}-py3.12",
    ]


def test_one_setting_moves_all_images_to_a_registry() -> None:
    settings = ImageSettings(registry="r:5000/team")
    assert component_image("redis", settings) == f"r:5000/team/clipper-nomad-redis:{__version__}"
    assert model_image(MODEL, "blue", settings.registry) == "r:5000/team/blue-sums:2"


def test_a_models_image_has_clippers_name() -> None:
    assert model_image(MODEL, "default-cluster", None) == "default-cluster-sums:2"


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "registry"),
    [
        ("a", "a", "latest", None),
        ("a:1", "a", "1", None),
        ("team/a:1", "team/a", "1", None),
        ("r:5000/a", "r:5000/a", "latest", "r:5000"),
        ("r:5000/team/a:1", "r:5000/team/a", "1", "r:5000"),
        ("r.example/a:1", "r.example/a", "1", "r.example"),
        ("localhost/a", "localhost/a", "latest", "localhost"),
    ],
)
def test_references_are_told_apart(reference: str, repository: str, tag: str, registry: str | None) -> None:
    assert split_reference(reference) == (repository, tag)
    assert registry_of(reference) == registry

"""Images on an engine that no version needs, and those that stay."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker.errors

from clipper_nomad.images import prune_model_images


class FakeClient:
    """An engine with these images, of which `run` are those of containers."""

    def __init__(self, images: list[Any], run: set[str], parents: set[str]) -> None:
        self.removed: list[str] = []
        self.filters: list[object] = []
        self._parents = parents
        self.containers = SimpleNamespace(
            list=lambda **_: [SimpleNamespace(attrs={"Image": image}) for image in run]
        )
        self._images = images
        self.images = SimpleNamespace(list=self._list, remove=self._remove)

    def _list(self, filters: object) -> list[Any]:
        self.filters.append(filters)
        return self._images

    def _remove(self, image_id: str, *, force: bool) -> None:
        assert force
        if image_id in self._parents:
            raise docker.errors.APIError("conflict", explanation="image has dependent child images")
        self.removed.append(image_id)


def image(name: str, digest: str | None = None) -> Any:
    attrs = {"Size": 5, "RepoDigests": [digest] if digest else []}
    return SimpleNamespace(id=f"sha256:{name}", tags=[f"c-{name}:1"], attrs=attrs)


def client(*, parents: set[str] = frozenset()) -> Any:  # type: ignore[assignment]
    names = ("registered", "run", "old", "parent")
    images = [*map(image, names), image("pushed", "registry/c-pushed@sha256:1")]
    return FakeClient(images, {"sha256:run"}, parents)


USED = {"sha256:registered", "registry/c-pushed@sha256:1", "EXTERNAL"}


def test_images_that_are_registered_or_run_stay() -> None:
    engine = client()
    found = prune_model_images(engine, "c", USED, dry_run=False)
    assert [each.name for each in found] == ["c-old:1", "c-parent:1"]
    assert engine.removed == ["sha256:old", "sha256:parent"]
    assert engine.filters == [{"label": "clipper-nomad.built-for=c"}]


def test_a_dry_run_removes_nothing() -> None:
    engine = client()
    assert len(prune_model_images(engine, "c", USED, dry_run=True)) == 2
    assert engine.removed == []


def test_an_image_that_others_are_built_on_stays() -> None:
    engine = client(parents={"sha256:parent"})
    assert [each.name for each in prune_model_images(engine, "c", USED, dry_run=False)] == ["c-old:1"]

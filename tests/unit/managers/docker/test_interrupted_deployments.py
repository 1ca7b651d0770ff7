"""Deployments on Docker that end half-way: what they made is gone, and what others made stays."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.docker import replicas
from clipper_nomad.managers.docker.definitions import Definition
from clipper_nomad.managers.docker.labels import ClusterRecord
from clipper_nomad.managers.docker.replicas import Replicas
from clipper_nomad.types import DeploySpec, ModelVersion

RECORD = ClusterRecord("1", "localhost", "net", 1337, 1338, 7000, None, 6379)
SPEC = DeploySpec(ModelVersion("m", "1"), "doubles", "image", num_replicas=3)
TAKEN = ContainerManagerError('container name "/clipper.iris.model.m.1.1" is already in use')


class FakeEngine:
    """An engine that knows the names of containers alone, and fails at one call."""

    client = None

    def __init__(self, fails_at: int, error: BaseException) -> None:
        self.calls = 0
        self.names: set[str] = set()
        self._fails_at = fails_at
        self._error = error

    def find(self, labels: Any) -> list[Any]:
        del labels
        return []

    def create(self, definition: Definition) -> str:
        if self._error is not TAKEN:
            # As the engine may have made it when its answer is interrupted.
            self.names.add(definition.name)
        self._count()
        self.names.add(definition.name)
        return definition.name

    def start(self, definition: Definition, container_id: str) -> None:
        del definition, container_id
        self._count()

    def remove(self, found: Collection[str]) -> None:
        self.names -= set(found)

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self._fails_at:
            raise self._error


@pytest.fixture(autouse=True)
def _known_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "resolve_image", lambda *_: "sha256:1")
    monkeypatch.setattr(Replicas, "_rpc_addresses", lambda _: ("frontend:7000",))


def deploy(engine: Any) -> None:
    Replicas(engine, "iris", ImageSettings()).deploy(RECORD, SPEC)


@pytest.mark.parametrize("fails_at", range(1, 2 * SPEC.num_replicas + 1))
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ContainerManagerError("the engine failed")])
def test_an_interrupted_deployment_leaves_no_container(fails_at: int, error: BaseException) -> None:
    engine = FakeEngine(fails_at, error)
    with pytest.raises(type(error)):
        deploy(engine)
    assert engine.names == set()


def test_a_container_that_another_call_has_made_is_not_removed() -> None:
    engine = FakeEngine(2, TAKEN)
    engine.names = {"clipper.iris.model.m.1.1"}
    with pytest.raises(ContainerManagerError, match="deployed already"):
        deploy(engine)
    assert engine.names == {"clipper.iris.model.m.1.1"}

"""Deployments on Nomad that end half-way: their job is gone, and another call's job stays."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.cluster import replicas
from clipper_nomad.managers.nomad.cluster.replicas import Replicas
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.types import DeploySpec, ModelVersion

SPEC = DeploySpec(ModelVersion("m", "1"), "doubles", "image")


class FakeJobs:
    """Jobs that are registered by a call which then fails, and the watch of their placement."""

    def __init__(self, error: BaseException, *, at_placement: bool = False) -> None:
        self.jobs = self
        self.stopped: list[str] = []
        self._error = error
        self._at_placement = at_placement

    def model(self, model: ModelVersion) -> None:
        del model

    def apply(self, hcl: str) -> str:
        del hcl
        if not self._at_placement:
            raise self._error
        return "evaluation"

    def await_placed(self, *_: Any) -> str:
        raise self._error

    def stop(self, job_ids: Collection[str], **_: Any) -> None:
        self.stopped += job_ids


class FakeDefinitions:
    """Definitions whose jobs are not looked at."""

    def model(self, *_: Any) -> None:
        return None


def deploy(jobs: FakeJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas, "render", lambda _: "hcl")
    anything: Any = jobs
    Replicas(anything, anything, anything, "iris", NomadSettings()).deploy(
        FakeDefinitions(),  # type: ignore[arg-type]
        SPEC,
        "image",
    )


@pytest.mark.parametrize("at_placement", [False, True])
def test_an_interrupted_deployment_leaves_no_job(at_placement: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = FakeJobs(KeyboardInterrupt(), at_placement=at_placement)
    with pytest.raises(KeyboardInterrupt):
        deploy(jobs, monkeypatch)
    assert jobs.stopped == ["clipper.iris.model.m.1"]


def test_a_job_that_another_call_has_registered_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = FakeJobs(ContainerManagerError("somebody else has changed it meanwhile"))
    with pytest.raises(ContainerManagerError, match="somebody else"):
        deploy(jobs, monkeypatch)
    assert jobs.stopped == []

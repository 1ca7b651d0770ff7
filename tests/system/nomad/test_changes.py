"""Changes on Nomad by somebody else at the same moment: kept, and reported."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import model_job_id
from clipper_nomad.managers.nomad.api.jobs import Jobs, Plan
from clipper_nomad.types import DeploySpec
from tests.contract.nomad_harness import NomadHarness
from tests.support.models import row_sums
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.serving import SMALL, SUMS, Served

pytestmark = pytest.mark.timeout(240)
_TOLD = "somebody else has changed it meanwhile .*Nothing was overwritten: try again"


@pytest.fixture(scope="module")
def served(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A cluster without models."""
    with NomadHarness(nomad_cluster, image_settings, model_resources=SMALL) as harness:
        made = Served(harness, tmp_path_factory.mktemp("models"))
        made.start()
        yield made


class Meddler:
    """Registers a job with a meta of its own, each time right after somebody has planned it."""

    def __init__(self, served: Served, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._nomad = served.harness.place.nomad
        self._path = f"/v1/job/{quote(job_id, safe='')}"
        plan = Jobs.plan

        def plan_and_change(jobs: Jobs, job: Mapping[str, Any]) -> Plan:
            made = plan(jobs, job)
            if job["ID"] == job_id:
                self._change({**job, **(self.read() or {})})
            return made

        monkeypatch.setattr(Jobs, "plan", plan_and_change)

    def _change(self, job: dict[str, Any]) -> None:
        changed = {**job, "Meta": {**(job["Meta"] or {}), "somebody": "else"}}
        self._nomad.request("POST", self._path, {"Job": changed})

    def read(self) -> dict[str, Any] | None:
        """Return the job, None if there is none."""
        listed = self._nomad.request("GET", "/v1/jobs")
        if not any(quote(each["ID"], safe="") in self._path for each in listed):
            return None
        found: dict[str, Any] = self._nomad.request("GET", self._path)
        return found


def test_a_roll_does_not_overwrite_what_was_changed_meanwhile(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    meddler = Meddler(served, f"clipper.{served.harness.cluster_name}.management-frontend", monkeypatch)
    other = NomadHarness.make_manager(served.harness, settings=_rolled(served))
    with pytest.raises(ContainerManagerError, match=_TOLD):
        ClipperConnection(other).start_clipper()
    found = meddler.read()
    assert found is not None
    assert found["Meta"]["somebody"] == "else"
    assert "ROLLED" not in found["TaskGroups"][0]["Tasks"][0]["Env"]


def _rolled(served: Served) -> Any:
    return dataclasses.replace(served.harness.settings, environment={"ROLLED": "1"})


def test_a_deploy_does_not_replace_a_job_that_appears_meanwhile(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = served.build(row_sums())
    with monkeypatch.context() as patch:
        meddler = Meddler(served, model_job_id(served.harness.cluster_name, SUMS), patch)
        with pytest.raises(ContainerManagerError, match=_TOLD):
            # None: a job that is stopped while it starts ends slowly.
            served.manager.deploy(DeploySpec(SUMS, "doubles", image, num_replicas=0))
    found = meddler.read()
    assert found is not None
    assert found["Meta"]["somebody"] == "else"
    assert not found["Stop"]

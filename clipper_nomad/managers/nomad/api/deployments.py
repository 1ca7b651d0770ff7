"""Nomad's deployments: the progress of a version of a job, followed and ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI, quoted
from clipper_nomad.managers.nomad.clients.session import RefusedError

_ENDED = frozenset({"successful", "failed", "cancelled"})
_ALREADY_ENDED = "can't fail terminal deployment"
_FAILING_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class NomadDeployment:
    """The progress of a version of a job. `index` is the one from which to wait for a change."""

    id: str
    job_id: str
    status: str
    description: str
    index: int

    @property
    def is_active(self) -> bool:
        """Return whether it goes on; while it does, Nomad refuses to scale its job."""
        return self.status not in _ENDED


class NomadDeployments:
    """The deployments of one namespace. Every method raises ContainerManagerError."""

    def __init__(self, api: NomadAPI) -> None:
        self._api = api

    def latest(self, job_id: str) -> NomadDeployment | None:
        """Return a job's latest deployment, or None if it has none."""
        attempt = f"Cannot read the deployment of the job {job_id}"
        answer = self._api.get(attempt, f"job/{quoted(job_id)}/deployment")
        return None if answer.body is None else _read(answer.body)

    def wait_for_change(self, deployment: NomadDeployment, timeout_s: float) -> NomadDeployment:
        """Return a deployment once it has changed, or as it is after `timeout_s`."""
        attempt = f"Cannot read the deployment of the job {deployment.job_id}"
        path = f"deployment/{quoted(deployment.id)}"
        return _read(self._api.wait_for_change(attempt, path, deployment.index, timeout_s).body)

    def fail(self, deployment_id: str) -> None:
        """Mark an active deployment as failed; one that has ended stays as it is."""
        try:
            self._api.ask(
                f"Cannot fail the deployment {deployment_id}",
                lambda: self._api.client.deployment.fail_deployment(quoted(deployment_id)),
                is_read=False,
            )
        except RefusedError as error:
            if _ALREADY_ENDED not in error.text:
                raise

    def end(self, job_id: str, grace_s: float) -> None:
        """Return when a job has no active deployment; fail one that does not end within `grace_s`."""
        deployment = self.latest(job_id)
        if deployment is None:
            return
        deployment = self._wait_until_ended(deployment, grace_s)
        if not deployment.is_active:
            return
        self.fail(deployment.id)
        if self._wait_until_ended(deployment, _FAILING_TIMEOUT_S).is_active:
            raise ContainerManagerError(
                f"The deployment {deployment.id} of the job {job_id} did not end after it was failed: "
                "inspect it (nomad deployment status), and try again"
            )

    def _wait_until_ended(self, deployment: NomadDeployment, timeout_s: float) -> NomadDeployment:
        deadline_s = time.monotonic() + timeout_s
        while deployment.is_active and (left_s := deadline_s - time.monotonic()) > 0:
            deployment = self.wait_for_change(deployment, left_s)
        return deployment


def _read(body: Mapping[str, Any]) -> NomadDeployment:
    return NomadDeployment(
        id=body["ID"],
        job_id=body["JobID"],
        status=body["Status"],
        description=body.get("StatusDescription") or "",
        index=body["ModifyIndex"],
    )

"""Jobs on Nomad: registered, found, read, scaled, stopped.

The order of requests makes sure that nobody's change is lost and nothing is left half-way.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.api import allocations, placements
from clipper_nomad.managers.nomad.api.allocations import Allocation
from clipper_nomad.managers.nomad.api.deployments import NomadDeployment, NomadDeployments
from clipper_nomad.managers.nomad.api.placements import Failure
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI, quoted
from clipper_nomad.managers.nomad.clients.session import RefusedError

_CHANGED_MEANWHILE = "Enforcing job modify index"
_BLOCKED_BY_DEPLOYMENT = "scaling blocked due to active deployment"
_SCALING_TIMEOUT_S = 60.0
#: The time for a deployment to succeed before a scaling has it failed.
_DEPLOYMENT_GRACE_S = 5.0
_UNCHANGED = "None"
_EVALUATION_GOES_ON = "pending"


@dataclass(frozen=True)
class Plan:
    """The effect that registering a job would have. `index` is the job's at that moment, 0 for a new one.

    `num_placed` counts what would be started; `failures` are, by group, the reasons why more would not.
    """

    index: int
    is_change: bool
    num_placed: int
    failures: Mapping[str, Failure]


@dataclass(frozen=True)
class JobSummary:
    """A registered job: its id, whether it was stopped, its meta, and the count of its one group."""

    id: str
    is_stopped: bool
    meta: Mapping[str, str]
    count: int


class Jobs:
    """The jobs of one namespace. Every method raises ContainerManagerError."""

    def __init__(self, api: NomadAPI) -> None:
        self._api = api
        self._deployments = NomadDeployments(api)

    # -- registering -----------------------------------------------------------------------------------------

    def parse(self, hcl: str) -> dict[str, Any]:
        """Return a job's JSON by Nomad's own parser. Raises ContainerManagerError with Nomad's words."""
        job: dict[str, Any] = self._api.ask(
            "Cannot parse a rendered job", lambda: self._api.client.jobs.parse(hcl, canonicalize=True)
        )
        return job

    def plan(self, job: Mapping[str, Any]) -> Plan:
        """Return the effect of registering `job`."""
        job_id = job["ID"]
        answer = self._api.ask(
            f"Cannot plan the job {job_id}",
            lambda: self._api.client.job.plan_job(quoted(job_id), {"Job": job}, diff=True),
        )
        updates = ((answer.get("Annotations") or {}).get("DesiredTGUpdates") or {}).values()
        failures = placements.read(answer.get("FailedTGAllocs"), job)
        return Plan(
            index=answer["JobModifyIndex"],
            is_change=(answer.get("Diff") or {}).get("Type") != _UNCHANGED,
            # The allocations that Nomad wants to place, minus those that it cannot.
            num_placed=sum(map(_num_wanted, updates)) - sum(each.num_unplaced for each in failures.values()),
            failures=failures,
        )

    def plan_count(self, job_id: str, count: int) -> Plan:
        """Return the effect of scaling a job to `count`."""
        job = self._read_existing(job_id)
        groups = [{**group, "Count": count} for group in job["TaskGroups"]]
        return self.plan({**job, "TaskGroups": groups})

    def apply(self, hcl: str) -> str | None:
        """Register a rendered job and return its evaluation's id; return None if that changes nothing.

        Raises ContainerManagerError if somebody else has changed the job meanwhile: their change stays.
        """
        job = self.parse(hcl)
        plan = self.plan(job)
        return self.put(job, plan.index) if plan.is_change else None

    def put(self, job: Mapping[str, Any], index: int) -> str:
        """Register a job's JSON and return its evaluation's id.

        The job's JobModifyIndex must still be `index` (0: there is no such job yet).
        """
        job_id = job["ID"]
        body = {"Job": job, "EnforceIndex": True, "JobModifyIndex": index}
        try:
            answer = self._api.ask(
                f"Cannot register the job {job_id}",
                lambda: self._api.client.job.register_job(quoted(job_id), body),
                is_read=False,
            )
        except RefusedError as error:
            if _CHANGED_MEANWHILE not in error.text:
                raise
            raise ContainerManagerError(
                f"Cannot register the job {job_id}: somebody else has changed it meanwhile ({error.text}). "
                "Nothing was overwritten: try again."
            ) from error
        return str(answer["EvalID"])

    # -- finding ---------------------------------------------------------------------------------------------

    def now(self) -> datetime.datetime:
        """Return the time by the agent's clock, in whole seconds."""
        return self._api.get("Cannot ask for the time", "status/leader").now

    def find(self, meta: Mapping[str, str]) -> list[JobSummary]:
        """Return the jobs that have all of `meta`, by id."""
        listed = self._api.ask("Cannot list the jobs", lambda: self._api.client.jobs.get_jobs(meta=True))
        matching = sorted(each["ID"] for each in listed if meta.items() <= (each.get("Meta") or {}).items())
        # The list has no counts. Jobs that have gone meanwhile are left out.
        return [_summarize(job) for job in map(self.read, matching) if job is not None]

    def read(self, job_id: str) -> dict[str, Any] | None:
        """Return a job's JSON, or None if there is none."""
        try:
            return self._read_existing(job_id)
        except RefusedError as error:
            if error.status != 404:
                raise
            return None

    def _read_existing(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self._api.ask(
            f"Cannot read the job {job_id}", lambda: self._api.client.job.get_job(quoted(job_id))
        )
        return job

    def allocations(self, job_id: str) -> list[Allocation]:
        """Return a job's allocations by index and age, including ended ones until Nomad forgets them."""
        return allocations.read_all(self._list_allocations(job_id, 0, 0)[0])

    def _list_allocations(
        self, job_id: str, index: int, timeout_s: float
    ) -> tuple[list[dict[str, Any]], int]:
        """Return Nomad's list once it has changed since `index` (0: at once), and the list's index."""
        attempt = f"Cannot list the allocations of the job {job_id}"
        path = f"job/{quoted(job_id)}/allocations"
        answer = (
            self._api.wait_for_change(attempt, path, index, timeout_s)
            if index
            else self._api.get(attempt, path)
        )
        return answer.body or [], answer.index

    # -- scaling ---------------------------------------------------------------------------------------------

    def scale(self, job_id: str, count: int, message: str) -> str:
        """Scale a job's one group, with a scaling event of this message; return the evaluation's id.

        Nomad does not scale while a deployment is active: it gets some seconds to end, then it is failed.
        """
        group = self._read_existing(job_id)["TaskGroups"][0]["Name"]
        body = {
            "Count": count,
            "Target": {"Namespace": self._api.access.namespace, "Job": job_id, "Group": group},
            "Message": message,
        }
        deadline_s = time.monotonic() + _SCALING_TIMEOUT_S
        while True:
            try:
                answer = self._api.send(
                    f"Cannot scale the job {job_id} to {count}", "POST", f"job/{quoted(job_id)}/scale", body
                )
            except RefusedError as error:
                if _BLOCKED_BY_DEPLOYMENT not in error.text or time.monotonic() >= deadline_s:
                    raise
                self._deployments.end(job_id, _DEPLOYMENT_GRACE_S)
            else:
                return str(answer["EvalID"])

    # -- stopping --------------------------------------------------------------------------------------------

    def stop(self, job_ids: Collection[str], *, timeout_s: float, graceful: bool = True) -> None:
        """Deregister and purge jobs, all at once, and return when each of their allocations has ended.

        Unknown ids are ignored. Without `graceful`, there are no shutdown delays. Raises
        ContainerManagerError that names the allocations that still run after `timeout_s`.
        """
        deadline_s = time.monotonic() + timeout_s
        # If jobs were purged first, Nomad would forget their allocations while they still run.
        stopping = {job_id: self._deregister(job_id, graceful=graceful) for job_id in job_ids}
        for evaluation_id in filter(None, stopping.values()):
            self.wait_evaluated(evaluation_id, deadline_s - time.monotonic())
        running = [name for job_id in job_ids for name in self._wait_until_ended(job_id, deadline_s)]
        if running:
            raise ContainerManagerError(
                f"Cannot stop {', '.join(job_ids)}: after {timeout_s:g} s these allocations still run: "
                f"{', '.join(running)}. Nomad goes on ending them; check that their nodes answer "
                "(nomad node status), and try again."
            )
        for job_id in job_ids:
            self._deregister(job_id, purge="true")

    def _deregister(self, job_id: str, *, graceful: bool = True, **params: str) -> str:
        """Return the id of the evaluation that ends a job's allocations; empty for an unknown job."""
        if not graceful:
            params["no_shutdown_delay"] = "true"
        try:
            answer = self._api.send(
                f"Cannot stop the job {job_id}", "DELETE", f"job/{quoted(job_id)}", **params
            )
        except RefusedError as error:
            if error.status != 404:
                raise
            return ""
        return str(answer["EvalID"])

    def _wait_until_ended(self, job_id: str, deadline_s: float) -> list[str]:
        """Return the names of the allocations that have not ended by the deadline."""
        index = 0
        while True:
            listed, index = self._list_allocations(job_id, index, deadline_s - time.monotonic())
            found = allocations.read_all(listed)
            left = [f"{each.name} on {each.node_name}" for each in found if not each.is_terminal]
            if not left or time.monotonic() >= deadline_s:
                return left

    # -- following -------------------------------------------------------------------------------------------

    def wait_evaluated(self, evaluation_id: str, timeout_s: float) -> dict[str, Failure]:
        """Return, by group, what the scheduler could not place, once it is done or after `timeout_s`."""
        attempt = f"Cannot read the evaluation {evaluation_id}"
        path = f"evaluation/{quoted(evaluation_id)}"
        deadline_s = time.monotonic() + timeout_s
        answer = self._api.get(attempt, path)
        while answer.body["Status"] == _EVALUATION_GOES_ON and (left_s := deadline_s - time.monotonic()) > 0:
            answer = self._api.wait_for_change(attempt, path, answer.index, left_s)
        body = answer.body
        job = self.read(body["JobID"]) if body.get("FailedTGAllocs") else None
        return placements.read(body.get("FailedTGAllocs"), job)

    def deployment(self, job_id: str) -> NomadDeployment | None:
        """Return a job's latest deployment, or None if it has none."""
        return self._deployments.latest(job_id)


def _num_wanted(update: Mapping[str, int]) -> int:
    return sum(update.get(kind) or 0 for kind in ("Place", "Canary", "DestructiveUpdate", "Migrate"))


def _summarize(job: Mapping[str, Any]) -> JobSummary:
    return JobSummary(
        id=job["ID"],
        is_stopped=bool(job.get("Stop")),
        meta=job.get("Meta") or {},
        count=sum(group["Count"] for group in job["TaskGroups"]),
    )

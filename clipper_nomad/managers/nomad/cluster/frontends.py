"""The start of a cluster's Redis and frontends on Nomad, and the rolling of frontends that run.

Defines the order, the waits for readiness, and what is undone if a start or a roll fails. Models that are
asleep wake with the rest.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import AnyJob, Service, job_id, meta, render, service_name
from clipper_nomad.managers import health
from clipper_nomad.managers.compatibility import require_compatible
from clipper_nomad.managers.nomad.api import placements
from clipper_nomad.managers.nomad.api.allocations import Allocation
from clipper_nomad.managers.nomad.api.deployments import NomadDeployment
from clipper_nomad.managers.nomad.cluster.cluster_jobs import ClusterJobs, is_asleep
from clipper_nomad.managers.nomad.cluster.definitions import ComponentImages, Definitions
from clipper_nomad.managers.nomad.cluster.placement_watch import PlacementWatch
from clipper_nomad.managers.nomad.cluster.records import ClusterRecord
from clipper_nomad.managers.nomad.cluster.redis_state import RedisState
from clipper_nomad.managers.nomad.dns import DNS
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.managers.undo import Undo
from clipper_nomad.managers.waiting import wait_until
from clipper_nomad.types import ClusterSpec

_STOP_TIMEOUT_S = 60.0
_EVALUATION_TIMEOUT_S = 10.0
#: A node reports its volumes to Nomad after 5 to 10 s. A volume with the name of a volume that was just
#: deleted counts as ready at once, but no node has it until that report.
_NEW_VOLUME_TIMEOUT_S = 20.0
#: The attributes of a record that no roll can change, and their names for users.
_FIXED = {
    "query_address": "the query address",
    "management_address": "the management address",
    "rpc_address": "the RPC address",
    "redis_ip": "redis_ip",
    "redis_port": "redis_port",
}


@dataclass(frozen=True)
class _Submitted:
    """A job as it is wanted. `evaluation_id` is None if it was so already.

    `is_roll`: allocations of the job ran before. `has_new_volume`: it mounts a volume that was just made.
    """

    job: AnyJob
    evaluation_id: str | None
    is_roll: bool
    has_new_volume: bool = False

    @property
    def id(self) -> str:
        """Return the job's id."""
        return job_id(self.job)


@dataclass(frozen=True)
class _Look:
    """The state of a submitted job at one moment; `deployment` is None if the job was not changed."""

    submitted: _Submitted
    wanted: list[Allocation]
    deployment: NomadDeployment | None


class Frontends:
    """The jobs of one cluster other than models."""

    def __init__(
        self,
        cluster_jobs: ClusterJobs,
        watch: PlacementWatch,
        dns: DNS,
        state: RedisState,
        settings: NomadSettings,
    ) -> None:
        self._cluster_jobs = cluster_jobs
        self._jobs = cluster_jobs.jobs
        self._watch = watch
        self._dns = dns
        self._state = state
        self._settings = settings

    def start(
        self, definitions: Definitions, spec: ClusterSpec, find_images: Callable[[], ComponentImages]
    ) -> None:
        """Submit the jobs that differ from the definitions, and return when the frontends are ready.

        If that fails, all jobs are restored to what they were.
        """
        record = definitions.record
        before = self._cluster_jobs.read_record()
        if before is not None:
            require_compatible(record, before, definitions.cluster_name, _FIXED)
        images = find_images()
        with Undo() as undo:
            jobs: list[AnyJob] = [
                definitions.management_frontend(images),
                definitions.query_frontend(images, spec),
            ]
            submitted = [self._submit(job, undo) for job in jobs]
            self._wake_models(undo)
            # Last: Nomad takes seconds to make a volume, and frontends wait for Redis anyway.
            submitted += self._submit_missing_redis(definitions, images, undo)
            self._wait_ready(submitted, record)
            undo.forget()

    def _submit_missing_redis(
        self, definitions: Definitions, images: ComponentImages, undo: Undo
    ) -> list[_Submitted]:
        """Submit Redis' job, and make its volume, unless it runs or Redis is external."""
        if definitions.record.redis_ip or any(
            not is_asleep(job) for job in self._cluster_jobs.find(meta.REDIS)
        ):
            return []
        has_new_volume = self._state.provide()
        if has_new_volume:
            undo.add(self._state.remove_volume)
        submitted = self._submit(definitions.redis(images, self._state.mount), undo)
        return [replace(submitted, has_new_volume=has_new_volume)]

    def _submit(self, job: AnyJob, undo: Undo) -> _Submitted:
        name = job_id(job)
        before = self._jobs.read(name)
        is_new = before is None or before.get("Stop")
        evaluation_id = self._jobs.apply(render(job))
        if evaluation_id is not None:
            undo.add(functools.partial(self._take_back, name, None if is_new else before))
        return _Submitted(job, evaluation_id, is_roll=evaluation_id is not None and not is_new)

    def _take_back(self, name: str, before: Mapping[str, Any] | None) -> None:
        if before is None:
            self._jobs.stop([name], timeout_s=_STOP_TIMEOUT_S, graceful=False)
        else:
            self._cluster_jobs.restore(before)

    def _wake_models(self, undo: Undo) -> None:
        for summary in self._cluster_jobs.find(meta.MODEL):
            if is_asleep(summary):
                before = self._jobs.read(summary.id)
                self._cluster_jobs.wake(summary)
                if before is not None:
                    undo.add(functools.partial(self._cluster_jobs.restore, before))

    def _wait_ready(self, submitted: list[_Submitted], record: ClusterRecord) -> None:
        """Wait for all. Raises ContainerManagerError if one is not placed, keeps failing, or is late."""
        # Until the scheduler has seen a change, Nomad reports the state before it.
        for evaluation_id in filter(None, (each.evaluation_id for each in submitted)):
            self._jobs.wait_evaluated(evaluation_id, _EVALUATION_TIMEOUT_S)
        started_s = time.monotonic()
        looks: list[_Look] = []

        def find_missing() -> str:
            looks[:] = map(self._look, submitted)
            return self._find_missing(looks, record)

        missing = wait_until(
            find_missing,
            lambda: self._require_healthy(looks, waited_s=time.monotonic() - started_s),
            self._settings.start_timeout_s,
        )
        if missing:
            logs = [self._watch.describe_log(each) for look in looks for each in look.wanted]
            raise ContainerManagerError(
                f"The cluster was not ready within {self._settings.start_timeout_s:g} s: {missing}. "
                + "\n".join(logs)
            )

    def _look(self, submitted: _Submitted) -> _Look:
        wanted = [each for each in self._jobs.allocations(submitted.id) if each.is_wanted]
        deployment = self._jobs.deployment(submitted.id) if submitted.evaluation_id else None
        return _Look(submitted, wanted, deployment)

    def _find_missing(self, looks: list[_Look], record: ClusterRecord) -> str:
        """Return what is not ready yet; empty if all is."""
        for each in looks:
            if missing := _find_unsettled(each):
                return missing
        reached: tuple[tuple[str, Service, str | None], ...] = (
            (meta.MANAGEMENT_FRONTEND, "management", record.management_address),
            (meta.QUERY_FRONTEND, "query", record.query_address),
        )
        jobs = {look.submitted.job.component: look.submitted.job for look in looks}
        for component, service, address in reached:
            if missing := self._find_unanswering(jobs[component], service, address):
                return missing
        return ""

    def _find_unanswering(self, job: AnyJob, service: Service, address: str | None) -> str:
        name = service_name(job.cluster_name, service)
        found = self._dns.lookup(name)
        if len(found) < job.count:
            return f"{len(found)} of {job.count} instances of {name} pass their checks in Consul"
        host_port, _, path = (address or str(found[0])).partition("/")
        host, _, port = host_port.rpartition(":")
        return health.unready_reason(host.strip("[]"), int(port), f"/{path}" if path else "")

    def _require_healthy(self, looks: list[_Look], *, waited_s: float) -> None:
        for look in looks:
            names = {each.id: f"The allocation {each.name}" for each in look.wanted}
            if failing := self._watch.describe_failing(look.wanted, names):
                raise ContainerManagerError(failing)
            _require_deployment(look)
            self._require_placed(look, waited_s)

    def _require_placed(self, look: _Look, waited_s: float) -> None:
        """Log why allocations are not placed; raise ContainerManagerError if that lasts."""
        submitted = look.submitted
        if len(look.wanted) >= submitted.job.count:
            return
        missing = self._watch.find_unplaced(submitted.id, submitted.job.count, submitted.id)
        timeout_s = self._settings.placement_timeout_s
        if submitted.has_new_volume and placements.MISSING_VOLUMES in missing:
            timeout_s = max(timeout_s, _NEW_VOLUME_TIMEOUT_S)
        if missing and waited_s >= timeout_s:
            raise ContainerManagerError(
                f"{submitted.id} was not started: Nomad could not place it within {timeout_s:g} s: "
                f"{missing}. Give the cluster what is missing, or ask for less in NomadSettings."
            )


def _find_unsettled(look: _Look) -> str:
    """Return why not all allocations of a job run its latest version; empty if they do."""
    job, wanted = look.submitted.job, look.wanted
    running = [each for each in wanted if each.is_running and each.is_healthy is not False]
    if len(running) < job.count or len(wanted) > job.count:
        return f"{len(running)} of {job.count} allocations of {look.submitted.id} run"
    if look.submitted.is_roll and look.deployment is not None and look.deployment.is_active:
        return f"the deployment of {look.submitted.id} goes on: {look.deployment.description}"
    return ""


def _require_deployment(look: _Look) -> None:
    """Raise ContainerManagerError if Nomad has given up the job's deployment."""
    if look.deployment is not None and look.deployment.status == "failed":
        raise ContainerManagerError(
            f"The deployment of {look.submitted.id} failed: {look.deployment.description}"
        )

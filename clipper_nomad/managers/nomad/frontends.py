"""Starting a cluster's Redis and frontends on Nomad, and rolling the frontends of one that runs.

Owns the order, the waits for readiness, and what is undone when a start or a roll fails. Knows of models only
that those asleep wake with the rest.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import AnyJob, Service, job_id, meta, render, service_name
from clipper_nomad.managers import health
from clipper_nomad.managers.compatibility import require_compatible
from clipper_nomad.managers.nomad.allocations import Allocation
from clipper_nomad.managers.nomad.definitions import Definitions, Packages
from clipper_nomad.managers.nomad.dns import DNS
from clipper_nomad.managers.nomad.fleet import Fleet, is_asleep
from clipper_nomad.managers.nomad.jobs import Applied
from clipper_nomad.managers.nomad.records import ClusterRecord
from clipper_nomad.managers.nomad.redis_state import RedisState
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.managers.nomad.watch import Watch
from clipper_nomad.managers.undo import Undo
from clipper_nomad.types import ClusterSpec
from clipper_nomad.waiting import wait_until

_STOP_TIMEOUT_S = 60.0
# What no roll can change.
_FIXED = {
    "query_address": "the query address",
    "management_address": "the management address",
    "rpc_address": "the RPC address",
    "redis_ip": "redis_ip",
    "redis_port": "redis_port",
}


@dataclass(frozen=True)
class _Submitted:
    """A job as it is wanted. `applied` is None where it was so already; `is_roll`: others ran before."""

    job: AnyJob
    applied: Applied | None
    is_roll: bool

    @property
    def id(self) -> str:
        """Return the job's id."""
        return job_id(self.job)


class Frontends:
    """The jobs of one cluster that are no models."""

    def __init__(
        self, fleet: Fleet, watch: Watch, dns: DNS, state: RedisState, settings: NomadSettings
    ) -> None:
        self._fleet = fleet
        self._jobs = fleet.jobs
        self._watch = watch
        self._dns = dns
        self._state = state
        self._settings = settings

    def start(
        self, definitions: Definitions, spec: ClusterSpec, find_packages: Callable[[], Packages]
    ) -> None:
        """Make the cluster what is wanted, and return when its frontends are ready.

        What is so already is left alone. When it fails, all is as it was.
        """
        record = definitions.record
        before = self._fleet.read_record()
        if before is not None:
            require_compatible(record, before, definitions.cluster_name, _FIXED)
        packages = find_packages()
        with Undo() as undo:
            jobs: list[AnyJob] = [
                definitions.management_frontend(packages),
                definitions.query_frontend(packages, spec),
            ]
            submitted = [self._submit(job, undo) for job in jobs]
            self._wake_models(undo)
            # Last, since Nomad takes seconds to make a volume, and frontends wait for Redis anyway.
            submitted += [self._submit(job, undo) for job in self._missing_redis(definitions, packages, undo)]
            self._wait_ready(submitted, record)
            undo.forget()

    def _missing_redis(self, definitions: Definitions, packages: Packages, undo: Undo) -> list[AnyJob]:
        """Return Redis' job unless it runs or Redis is elsewhere, with the volume for it made."""
        if definitions.record.redis_ip or any(not is_asleep(job) for job in self._fleet.find(meta.REDIS)):
            return []
        if self._state.provide():
            undo.add(self._state.remove_volume)
        return [definitions.redis(packages, self._state.mount)]

    def _submit(self, job: AnyJob, undo: Undo) -> _Submitted:
        name = job_id(job)
        before = self._jobs.read(name)
        is_new = before is None or before.get("Stop")
        applied = self._jobs.apply(render(job))
        if applied is not None:
            undo.add(functools.partial(self._take_back, name, None if is_new else before))
        return _Submitted(job, applied, is_roll=applied is not None and not is_new)

    def _take_back(self, name: str, before: Mapping[str, Any] | None) -> None:
        if before is None:
            self._jobs.stop([name], timeout_s=_STOP_TIMEOUT_S, graceful=False)
        else:
            self._fleet.restore(before)

    def _wake_models(self, undo: Undo) -> None:
        for summary in self._fleet.find(meta.MODEL):
            if is_asleep(summary):
                before = self._jobs.read(summary.id)
                self._fleet.wake(summary)
                if before is not None:
                    undo.add(functools.partial(self._fleet.restore, before))

    def _wait_ready(self, submitted: list[_Submitted], record: ClusterRecord) -> None:
        """Wait for all. Raises ContainerManagerError when one has no place, keeps ending, or is late."""
        placed_by_s = time.monotonic() + self._settings.placement_timeout_s
        lacking = wait_until(
            lambda: self._find_lacking(submitted, record),
            lambda: self._require_well(submitted, is_placing=time.monotonic() < placed_by_s),
            self._settings.start_timeout_s,
        )
        if lacking:
            logs = [self._watch.describe_log(each) for job in submitted for each in self._wanted(job)]
            raise ContainerManagerError(
                f"The cluster was not ready within {self._settings.start_timeout_s:g} s: {lacking}. "
                + "\n".join(logs)
            )

    def _find_lacking(self, submitted: list[_Submitted], record: ClusterRecord) -> str:
        """Return what is not ready yet, empty when all is."""
        for each in submitted:
            if lacking := self._find_unsettled(each):
                return lacking
        reached: tuple[tuple[str, Service, str | None], ...] = (
            (meta.MANAGEMENT_FRONTEND, "management", record.management_address),
            (meta.QUERY_FRONTEND, "query", record.query_address),
        )
        for component, service, address in reached:
            if lacking := self._find_unanswering(submitted, component, service, address):
                return lacking
        return ""

    def _find_unsettled(self, submitted: _Submitted) -> str:
        """Return why not all allocations of a job are of its latest form and running."""
        wanted = self._wanted(submitted)
        running = [each for each in wanted if each.is_running and each.is_healthy is not False]
        if len(running) < submitted.job.count or len(wanted) > submitted.job.count:
            return f"{len(running)} of {submitted.job.count} allocations of {submitted.id} run"
        if submitted.is_roll:
            deployment = self._jobs.deployment(submitted.id)
            if deployment is not None and deployment.is_active:
                return f"the deployment of {submitted.id} goes on: {deployment.description}"
        return ""

    def _find_unanswering(
        self, submitted: list[_Submitted], component: str, service: Service, address: str | None
    ) -> str:
        job = next(each.job for each in submitted if each.job.component == component)
        name = service_name(job.cluster_name, service)
        found = self._dns.lookup(name)
        if len(found) < job.count:
            return f"{len(found)} of {job.count} instances of {name} pass their checks in Consul"
        place, _, path = (address or str(found[0])).partition("/")
        host, _, port = place.rpartition(":")
        return health.unready_reason(host.strip("[]"), int(port), f"/{path}" if path else "") or ""

    def _require_well(self, submitted: list[_Submitted], *, is_placing: bool) -> None:
        for each in submitted:
            wanted = self._wanted(each)
            names = {found.id: f"The allocation {found.name}" for found in wanted}
            if failing := self._watch.describe_failing(wanted, names):
                raise ContainerManagerError(failing)
            self._require_deployment(each)
            if len(wanted) < each.job.count:
                lacking = self._watch.find_unplaced(each.id, each.job.count, each.id)
                if lacking and not is_placing:
                    raise ContainerManagerError(
                        f"{each.id} was not started: within {self._settings.placement_timeout_s:g} s Nomad "
                        f"found no place for it: {lacking}"
                    )

    def _require_deployment(self, submitted: _Submitted) -> None:
        """Raise ContainerManagerError when Nomad has given up what was applied."""
        if submitted.applied is None:
            return
        deployment = self._jobs.deployment(submitted.id)
        if deployment is not None and deployment.status == "failed":
            raise ContainerManagerError(f"The deployment of {submitted.id} failed: {deployment.description}")

    def _wanted(self, submitted: _Submitted) -> list[Allocation]:
        return [each for each in self._jobs.allocations(submitted.id) if each.is_wanted]

"""The replicas of a cluster's models on Nomad: one job per version, whose count is the replicas wanted.

Deploys, scales, checks and drains them. A version is deployed while its job is registered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from clipper_nomad.errors import ContainerManagerError, DeploymentError
from clipper_nomad.jobspecs import meta, model_job_id, render, service_name
from clipper_nomad.managers import messages
from clipper_nomad.managers.nomad.api.allocations import Allocation
from clipper_nomad.managers.nomad.api.jobs import JobSummary
from clipper_nomad.managers.nomad.api.logs import Logs
from clipper_nomad.managers.nomad.cluster.cluster_jobs import ClusterJobs
from clipper_nomad.managers.nomad.cluster.definitions import Definitions
from clipper_nomad.managers.nomad.cluster.placement_watch import PlacementWatch
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.types import DeploySpec, ModelVersion

_STOP_MARGIN_S = 60.0


class Replicas:
    """The replicas of one cluster."""

    def __init__(
        self,
        cluster_jobs: ClusterJobs,
        watch: PlacementWatch,
        logs: Logs,
        cluster_name: str,
        settings: NomadSettings,
    ) -> None:
        self._cluster_jobs = cluster_jobs
        self._jobs = cluster_jobs.jobs
        self._watch = watch
        self._logs = logs
        self._cluster_name = cluster_name
        self._settings = settings

    @property
    def stop_timeout_s(self) -> float:
        """Return how long a stop may take: the longest drain, and a margin for Nomad."""
        timings = self._settings.timings
        return timings.shutdown_delay_s + timings.kill_timeout_s + _STOP_MARGIN_S

    def count(self) -> dict[ModelVersion, int]:
        """Return the number of replicas wanted of each deployed version."""
        return {model: job.count for model, job in self._cluster_jobs.models().items()}

    def count_of(self, model: ModelVersion) -> int:
        """Return the number of replicas wanted of a version; 0 if it is not deployed."""
        job = self._cluster_jobs.model(model)
        return 0 if job is None else job.count

    def deploy(self, definitions: Definitions, spec: DeploySpec, source: str) -> None:
        """Register the job of a new version, and return when its replicas have nodes.

        If only some have, that is logged and the others wait for room; if none has, the job is removed.
        """
        if self._cluster_jobs.model(spec.model):
            raise messages.already_deployed(spec.model)
        job_id = model_job_id(self._cluster_name, spec.model)
        hcl = render(definitions.model(spec, source))
        try:
            evaluation_id = self._jobs.apply(hcl)
            if evaluation_id is None:
                raise messages.already_deployed(spec.model)
        except ContainerManagerError:
            # The job is another call's, or there is none.
            raise
        except BaseException:
            self._stop_at_once(job_id)
            raise
        try:
            self._require_placed(job_id, evaluation_id, spec)
        except BaseException:
            self._stop_at_once(job_id)
            raise

    def _stop_at_once(self, job_id: str) -> None:
        self._jobs.stop([job_id], timeout_s=self.stop_timeout_s, graceful=False)

    def _require_placed(self, job_id: str, evaluation_id: str, spec: DeploySpec) -> None:
        what = f"Model version {spec.model}"
        missing = self._watch.await_placed(
            job_id, evaluation_id, spec.num_replicas, self._settings.placement_timeout_s, what
        )
        if missing and not self._wanted(job_id):
            raise DeploymentError(
                f"Model version {spec.model} was not deployed: Nomad could place none of its "
                f"{spec.num_replicas} replicas within {self._settings.placement_timeout_s:g} s: {missing}. "
                "Request fewer resources, or give the cluster what is missing."
            )

    def scale(self, model: ModelVersion, num_replicas: int) -> None:
        """Start replicas, or drain some and return when they have ended.

        If there is not room for all, as many run as fit, and ContainerManagerError says what is missing.
        """
        job = self._cluster_jobs.model(model)
        if job is None:
            raise messages.not_deployed(model)
        if num_replicas == job.count:
            return
        missing, possible = "", num_replicas
        if num_replicas > job.count:
            missing = self._watch.await_room(
                job.id, num_replicas, self._settings.placement_timeout_s, f"Model version {model}"
            )
            if missing:
                possible = len(self._wanted(job.id)) + self._jobs.plan_count(job.id, num_replicas).num_placed
        if possible != job.count:
            self._scale(job, possible, f"clipper-nomad: {model} from {job.count} to {possible} replicas")
        if missing:
            raise ContainerManagerError(
                f"Only {possible} of {num_replicas} replicas of model version {model} fit (it has {possible} "
                f"now): {missing}. Give the cluster more nodes, or request fewer resources for the model."
            )

    def _scale(self, job: JobSummary, num_replicas: int, message: str) -> None:
        evaluation_id = self._jobs.scale(job.id, num_replicas, message)
        self._watch.await_placed(job.id, evaluation_id, num_replicas, 0.0, job.id)
        if num_replicas < job.count:
            self._cluster_jobs.wait_ended(job.id, num_replicas, self.stop_timeout_s)

    def stop(self, models: Collection[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions; unknown ones are ignored."""
        ids = [model_job_id(self._cluster_name, model) for model in models]
        self._jobs.stop(ids, timeout_s=self.stop_timeout_s)

    def check(self, model: ModelVersion) -> None:
        """Raise DeploymentError if a replica keeps failing: it ended at its start, or more than once."""
        job = self._cluster_jobs.model(model)
        if job is None:
            return
        allocations = self._jobs.allocations(job.id)
        names = {each.id: messages.replica_of(model, each.index) for each in allocations}
        if failing := self._watch.describe_failing(allocations, names):
            raise DeploymentError(failing)
        service_meta = {meta.SERVICE_MODEL: model.name, meta.SERVICE_MODEL_VERSION: model.version}
        service = service_name(self._cluster_name, "model")
        if self._watch.log_failing_checks(service, service_meta, f"Model version {model}"):
            self._watch.log_running(allocations, names)

    def last_ends(self) -> dict[ModelVersion, str]:
        """Return how a replica of each version ended last without being asked to, by Nomad's task events."""
        ends = {}
        for model, job in self._cluster_jobs.models().items():
            wanted = [each for each in self._wanted(job.id) if each.has_ended()]
            if texts := [text for each in wanted if (text := each.describe_end())]:
                ends[model] = texts[-1]
        return ends

    def tail_logs(self, model: ModelVersion, lines: int) -> str:
        """Return the last lines of each replica's log, under a heading if there are several."""
        job = self._cluster_jobs.model(model)
        replicas = _latest(self._jobs.allocations(job.id)) if job else {}
        return messages.join_logs(
            {str(index): self._logs.tail(each, lines) for index, each in replicas.items()}
        )

    def _wanted(self, job_id: str) -> list[Allocation]:
        return [each for each in self._jobs.allocations(job_id) if each.is_wanted]


def _latest(allocations: Collection[Allocation]) -> Mapping[int, Allocation]:
    """Return each replica's allocation, preferably the one that Nomad wants to run."""
    return {each.index: each for each in sorted(allocations, key=lambda each: (each.index, each.is_wanted))}

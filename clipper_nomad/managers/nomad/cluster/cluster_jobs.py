"""The jobs of one cluster: found by their meta, put to sleep and woken.

A job asleep is registered with a count of 0, and its meta holds the count to wake with: so Nomad itself
keeps everything that a stopped cluster comes back with.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import meta
from clipper_nomad.managers.nomad.api.allocations import Allocation
from clipper_nomad.managers.nomad.api.jobs import Jobs, JobSummary
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.records import ClusterRecord
from clipper_nomad.managers.waiting import wait_until
from clipper_nomad.types import ClusterSpec, ModelVersion


class ClusterJobs:
    """The jobs of one cluster on Nomad."""

    def __init__(self, jobs: Jobs, cluster_name: str) -> None:
        self.jobs = jobs
        self.cluster_name = cluster_name

    def find(self, component: str | None = None) -> list[JobSummary]:
        """Return the cluster's jobs, asleep or not, or one component's, without stopped ones."""
        wanted = {} if component is None else {meta.COMPONENT: component}
        return [job for job in self._find(wanted) if not job.is_stopped]

    def find_all(self) -> list[JobSummary]:
        """Return the cluster's jobs, including stopped ones that Nomad has not forgotten yet."""
        return self._find({})

    def _find(self, wanted: Mapping[str, str]) -> list[JobSummary]:
        # Nomad lists jobs without their counts, so each returned job costs a request.
        return self.jobs.find({meta.CLUSTER: self.cluster_name, **wanted})

    def models(self) -> dict[ModelVersion, JobSummary]:
        """Return the jobs of the deployed model versions."""
        return {model_of(job): job for job in self.find(meta.MODEL)}

    def model(self, model: ModelVersion) -> JobSummary | None:
        """Return the job of a model version, or None if it is not deployed."""
        wanted = {
            meta.COMPONENT: meta.MODEL,
            meta.MODEL_NAME: model.name,
            meta.MODEL_VERSION: model.version,
        }
        return next((job for job in self._find(wanted) if not job.is_stopped), None)

    def model_images(self) -> set[str]:
        """Return the images that the jobs of model versions run, asleep or not."""
        jobs = filter(None, (self.jobs.read(each.id) for each in self.find(meta.MODEL)))
        tasks = [task for job in jobs for group in job["TaskGroups"] for task in group["Tasks"]]
        return {task["Config"]["image"] for task in tasks if "image" in (task["Config"] or {})}

    def read_spec(self) -> ClusterSpec | None:
        """Return the settings of the query frontends that run, or None if none does."""
        found = self.find(meta.QUERY_FRONTEND)
        return records.read_spec(found[0].meta, found[0].count) if found else None

    def read_record(self) -> ClusterRecord | None:
        """Return how the cluster was started, or None if it does not run."""
        found = self.find(meta.MANAGEMENT_FRONTEND)
        return records.read_cluster(found[0].meta) if found else None

    def find_neighbours(self) -> list[JobSummary]:
        """Return the management frontends' jobs of the other clusters in this namespace."""
        found = self.jobs.find({meta.COMPONENT: meta.MANAGEMENT_FRONTEND})
        return [
            job for job in found if not job.is_stopped and job.meta.get(meta.CLUSTER) != self.cluster_name
        ]

    def put_to_sleep(self, jobs: Iterable[JobSummary], timeout_s: float) -> None:
        """Stop all allocations of these jobs, keep the counts, and return when they have ended."""
        for summary in jobs:
            job = self._read(summary.id)
            job["Meta"] = {**(job.get("Meta") or {}), records.KEPT_COUNT: str(summary.count)}
            job["TaskGroups"][0]["Count"] = 0
            self.jobs.put(job, job["JobModifyIndex"])
        for summary in jobs:
            self.wait_ended(summary.id, 0, timeout_s)

    def wake(self, summary: JobSummary) -> None:
        """Start the allocations that a sleeping job had before."""
        job = self._read(summary.id)
        job["TaskGroups"][0]["Count"] = int(job["Meta"].pop(records.KEPT_COUNT))
        self.jobs.put(job, job["JobModifyIndex"])

    def restore(self, before: Mapping[str, Any]) -> None:
        """Register a job as it was before, unless it is unchanged."""
        plan = self.jobs.plan(before)
        if plan.is_change:
            self.jobs.put(before, plan.index)

    def wait_ended(self, job_id: str, num_kept: int, timeout_s: float) -> None:
        """Return when no more than `num_kept` allocations of a job are left. Raises ContainerManagerError."""
        missing = wait_until(functools.partial(self._too_many, job_id, num_kept), lambda: None, timeout_s)
        if missing:
            raise ContainerManagerError(
                f"After {timeout_s:g} s, {missing}: look for the cause with `nomad job status`"
            )

    def _too_many(self, job_id: str, num_kept: int) -> str:
        left = [each for each in self.jobs.allocations(job_id) if not each.is_terminal]
        return f"{len(left)} allocations of job {job_id} have not ended" if len(left) > num_kept else ""

    def _read(self, job_id: str) -> dict[str, Any]:
        job = self.jobs.read(job_id)
        if job is None:
            raise ContainerManagerError(
                f"Job {job_id} is gone: somebody else has stopped it. Start it again."
            )
        return job


def model_of(job: JobSummary) -> ModelVersion:
    """Return the model version that a job serves."""
    return ModelVersion(job.meta[meta.MODEL_NAME], job.meta[meta.MODEL_VERSION])


def is_asleep(job: JobSummary) -> bool:
    """Return whether a job was put to sleep."""
    return records.KEPT_COUNT in job.meta


def component_name(job: JobSummary, allocation: Allocation) -> str:
    """Return an allocation's name within its cluster: `redis`, `query-frontend.0`, `model.sums.1.0`."""
    component = job.meta[meta.COMPONENT]
    if component == meta.MODEL:
        model = model_of(job)
        return f"model.{model.name}.{model.version}.{allocation.index}"
    return f"{component}.{allocation.index}" if component == meta.QUERY_FRONTEND else component

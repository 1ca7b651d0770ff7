"""The ids of jobs and the names of Consul services.

Ids join their parts with a dot, which names of clusters, models and versions cannot contain; services end in
a fixed word. So no two clusters share one.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from clipper_nomad.jobspecs import meta
from clipper_nomad.jobspecs.parameters import Job, ModelJob
from clipper_nomad.types import ModelVersion

Service: TypeAlias = Literal["query", "rpc", "management", "redis", "model"]


def model_job_id(cluster_name: str, model: ModelVersion) -> str:
    """Return the id of the job of a model version."""
    return _join(cluster_name, meta.MODEL, model.name, model.version)


def job_id(job: Job) -> str:
    """Return a job's id."""
    if isinstance(job, ModelJob):
        return model_job_id(job.cluster_name, job.model)
    return _join(job.cluster_name, job.component)


def service_name(cluster_name: str, service: Service) -> str:
    """Return the name of a Consul service: a DNS label, as long as the cluster's name is one and short."""
    return f"clipper-{cluster_name}-{service}"


def _join(*parts: str) -> str:
    return ".".join(("clipper", *parts))

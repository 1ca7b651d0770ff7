"""Jobspecs: from parameters to the HCL that Nomad is given and that people can read."""

from clipper_nomad.jobspecs.driver import Artifact, Component, Driver, Program
from clipper_nomad.jobspecs.hcl import Interpolated
from clipper_nomad.jobspecs.names import (
    Service,
    job_id,
    model_job_id,
    service_name,
)
from clipper_nomad.jobspecs.parameters import (
    Affinity,
    AnyJob,
    Constraint,
    HostVolume,
    Job,
    Location,
    ManagementFrontendJob,
    ModelJob,
    QueryFrontendJob,
    RedisJob,
    Scheduling,
    Spread,
    Task,
    TaskResources,
    Timings,
)
from clipper_nomad.jobspecs.rendering import render, render_all

__all__ = [
    "Affinity",
    "AnyJob",
    "Artifact",
    "Component",
    "Constraint",
    "Driver",
    "HostVolume",
    "Interpolated",
    "Job",
    "Location",
    "ManagementFrontendJob",
    "ModelJob",
    "Program",
    "QueryFrontendJob",
    "RedisJob",
    "Scheduling",
    "Service",
    "Spread",
    "Task",
    "TaskResources",
    "Timings",
    "job_id",
    "model_job_id",
    "render",
    "render_all",
    "service_name",
]

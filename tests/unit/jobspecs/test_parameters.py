"""The rules among a job's parameters, its names, and what is asked of devices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import (
    Constraint,
    HostVolume,
    RedisJob,
    Service,
    Timings,
    job_id,
    meta,
    model_job_id,
    service_name,
)
from clipper_nomad.jobspecs.devices import parse_requirement
from clipper_nomad.managers.nomad.drivers import RawExecDriver
from clipper_nomad.types import ModelVersion
from tests.support.nomad import jobspec_examples

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?", fullmatch=True)


def redis_job() -> RedisJob:
    job = jobspec_examples.at_defaults()["redis"]
    assert isinstance(job, RedisJob)
    return job


@given(NAMES, NAMES, NAMES, NAMES, NAMES, NAMES)
def test_no_two_jobs_share_an_id(a: str, b: str, c: str, d: str, e: str, f: str) -> None:
    one, other = model_job_id(a, ModelVersion(b, c)), model_job_id(d, ModelVersion(e, f))
    assert (one == other) == ((a, b, c) == (d, e, f))
    assert one not in [f"clipper.{d}.{component}" for component in meta.COMPONENTS]


@given(NAMES, NAMES)
def test_no_two_clusters_share_a_service(a: str, b: str) -> None:
    services: tuple[Service, ...] = ("query", "rpc", "management", "redis", "model")
    names = {service_name(cluster, service) for cluster in {a, b} for service in services}
    assert len(names) == len(services) * len({a, b})


def test_jobs_have_the_ids_by_which_they_are_asked_for() -> None:
    assert [job_id(job) for job in jobspec_examples.at_defaults().values()] == [
        "clipper.iris.redis",
        "clipper.iris.query-frontend",
        "clipper.iris.management-frontend",
        "clipper.iris.model.resnet.2",
    ]
    assert model_job_id("iris", ModelVersion("resnet", "2")) == "clipper.iris.model.resnet.2"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"drain_timeout_s": 30}, "drain_timeout_s is 30 and kill_timeout_s is 30"),
        ({"min_healthy_s": 300}, "min_healthy_s is 300 and healthy_deadline_s"),
        ({"healthy_deadline_s": 600}, "healthy_deadline_s is 600 and progress_deadline_s"),
        ({"model_load_s": 600}, "model_load_s is 600 and progress_deadline_s"),
        ({"reschedule_delay_s": 300}, "reschedule_delay_s is 300 and reschedule_max_delay_s"),
    ],
)
def test_timings_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ContainerManagerError, match=message):
        Timings(**changed)


def test_more_than_one_redis_is_refused() -> None:
    with pytest.raises(ContainerManagerError, match="2 of Redis"):
        replace(redis_job(), count=2)


def test_a_volume_is_refused_where_the_driver_mounts_none() -> None:
    job = redis_job()
    with pytest.raises(ContainerManagerError, match="raw_exec mounts no volumes"):
        replace(job, volume=HostVolume("redis"), task=replace(job.task, driver=RawExecDriver()))


def test_a_password_is_not_shown_where_jobs_are_printed() -> None:
    assert "secret" not in repr(replace(redis_job(), password="secret"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${device.attr.memory} >= 8 GiB", Constraint("${device.attr.memory}", "8 GiB", ">=")),
        (" ${device.attr.memory}>=8_000 MiB ", Constraint("${device.attr.memory}", "8_000 MiB", ">=")),
        ("${device.model} = Tesla T4", Constraint("${device.model}", "Tesla T4", "=")),
        ("${device.model} is Tesla T4", Constraint("${device.model}", "Tesla T4", "is")),
        ("${device.model} regexp ^A.*", Constraint("${device.model}", "^A.*", "regexp")),
        ("${device.ids} set_contains_any a,b", Constraint("${device.ids}", "a,b", "set_contains_any")),
        ("${device.attr.uuid} is_set", Constraint("${device.attr.uuid}", "", "is_set")),
        ("${device.attr.uuid} is_not_set", Constraint("${device.attr.uuid}", "", "is_not_set")),
    ],
)
def test_requirements_of_devices(text: str, expected: Constraint) -> None:
    assert parse_requirement("nvidia/gpu", text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "8 GiB", "device.attr.memory >= 8 GiB", "${device.model} regexpA", "${device.model} >=", "${a} ~ b"],
)
def test_other_requirements_are_refused_with_the_form_and_the_device(text: str) -> None:
    with pytest.raises(
        ContainerManagerError, match=r"nvidia/gpu: write an attribute, an operator and a value"
    ):
        parse_requirement("nvidia/gpu", text)

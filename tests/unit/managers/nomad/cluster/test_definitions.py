"""The jobs of a cluster on Nomad: environments, seeds, scheduling, resources."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import (
    Affinity,
    Constraint,
    HostVolume,
    Location,
    ModelJob,
    Scheduling,
    Spread,
    TaskResources,
    render,
)
from clipper_nomad.managers.nomad import ConsulDNS, FabioLoadBalancer, NomadContainerManager
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.definitions import ComponentImages, Definitions, model_resources
from clipper_nomad.managers.nomad.cluster.records import ClusterRecord
from clipper_nomad.managers.nomad.load_balancer import LoadBalancer, NoLoadBalancer
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.types import ClusterSpec, DeploySpec, Device, ModelVersion, Resources

SRV = "srv:clipper-iris-rpc.service.consul"
RECORD = ClusterRecord(
    version="0.1.0",
    query_address="fabio:9999/clipper-iris",
    management_address=None,
    rpc_address="fabio:7000",
    rpc_seeds=("fabio:7000", SRV),
    redis_ip=None,
    redis_port=6379,
    dns_server="10.0.0.1:8600",
    rpc_proxy_only=False,
)
LOCATION = Location(("dc1",), "team", "eu")
WITHOUT_FABIO = replace(RECORD, query_address=None, rpc_address=None, rpc_seeds=(SRV,))
IMAGES = ComponentImages(redis="redis@1", query_frontend="query@1", management_frontend="management@1")
SPEC = DeploySpec(ModelVersion("resnet", "2"), "doubles", "image@1", num_replicas=3)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CLIPPER_")]:
        monkeypatch.delenv(name)


def definitions(
    record: ClusterRecord = RECORD,
    load_balancer: LoadBalancer | None = None,
    **settings: Any,
) -> Definitions:
    return Definitions(
        cluster_name="iris",
        record=record,
        settings=NomadSettings(**settings),
        dns=ConsulDNS("10.0.0.1:8600"),
        load_balancer=load_balancer or FabioLoadBalancer("fabio"),
        location=LOCATION,
    )


def model(record: ClusterRecord = RECORD, spec: DeploySpec = SPEC, **settings: Any) -> ModelJob:
    return definitions(record, **settings).model(spec, "image@1")


def test_containers_start_from_fabio_and_then_from_the_name() -> None:
    environment = model().task.environment
    assert environment["CLIPPER_RPC_ADDRESS"] == f"fabio:7000,{SRV}"
    assert environment["CLIPPER_DNS"] == "10.0.0.1:8600"
    assert "CLIPPER_RPC_PROXY_ONLY" not in environment


def test_containers_of_rpc_version_3_know_fabio_alone() -> None:
    environment = model().task.environment
    assert (environment["CLIPPER_IP"], environment["CLIPPER_PORT"]) == ("fabio", "7000")
    ipv6 = replace(RECORD, rpc_address="[fd00::5]:7000")
    assert model(ipv6).task.environment["CLIPPER_IP"] == "[fd00::5]"


def test_without_fabio_there_is_the_name_alone() -> None:
    environment = model(replace(WITHOUT_FABIO, dns_server=None)).task.environment
    assert dict(environment) == {"CLIPPER_RPC_ADDRESS": SRV, "CLIPPER_CPU_LIMIT": "0.5"}


def test_where_only_the_proxy_can_be_reached_containers_are_told() -> None:
    proxied = replace(RECORD, rpc_seeds=("fabio:7000",), rpc_proxy_only=True)
    environment = model(proxied).task.environment
    assert environment["CLIPPER_RPC_ADDRESS"] == "fabio:7000"
    assert environment["CLIPPER_RPC_PROXY_ONLY"] == "1"


def test_the_proxy_alone_takes_a_proxy() -> None:
    settings = NomadSettings(rpc_proxy_only=True)
    with pytest.raises(ContainerManagerError, match=r"rpc_proxy_only .* no load balancer"):
        NomadContainerManager("127.0.0.1", settings=settings)
    NomadContainerManager("127.0.0.1", load_balancer=FabioLoadBalancer("fabio"), settings=settings)


def test_frontends_find_redis_by_its_name_and_have_what_they_are_started_with() -> None:
    spec = ClusterSpec(2, prediction_cache_bytes=5, header_timeout_s=1.5, body_timeout_s=60.0)
    job = definitions().query_frontend(IMAGES, spec)
    assert dict(job.task.environment) == {
        "CLIPPER_CLUSTER_NAME": "iris",
        "CLIPPER_REDIS": "srv:clipper-iris-redis.service.consul",
        "CLIPPER_DNS": "10.0.0.1:8600",
        "CLIPPER_PREDICTION_CACHE_BYTES": "5",
        "CLIPPER_HEADER_TIMEOUT_S": "1.5",
        "CLIPPER_BODY_TIMEOUT_S": "60.0",
    }
    assert (job.count, job.task.source) == (2, "query@1")
    assert job.query_tags == ("urlprefix-/clipper-iris/ strip=/clipper-iris",)
    assert job.rpc_tags == ("urlprefix-:7000 proto=tcp",)
    defaults = definitions().query_frontend(IMAGES, ClusterSpec())
    assert "CLIPPER_HEADER_TIMEOUT_S" not in defaults.task.environment


def test_without_a_load_balancer_services_have_no_routes() -> None:
    made = definitions(WITHOUT_FABIO, NoLoadBalancer())
    job = made.query_frontend(IMAGES, ClusterSpec())
    assert (job.query_tags, job.rpc_tags) == ((), ())
    assert made.management_frontend(IMAGES).tags == ()


def test_the_management_frontend_answers_to_the_load_balancers_name() -> None:
    routed = replace(RECORD, management_address="fabio.example:9999/clipper-iris.management")
    made = definitions(routed, environment={"CLIPPER_ALLOWED_HOSTS": "admin.example"})
    environment = made.management_frontend(IMAGES).task.environment
    assert environment["CLIPPER_ALLOWED_HOSTS"] == "admin.example,fabio.example"
    assert "CLIPPER_ALLOWED_HOSTS" not in definitions().management_frontend(IMAGES).task.environment


def test_a_redis_elsewhere_is_asked_with_what_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "IP": "ignored",
        "PORT": "1",
        "VOLUME": "dynamic",
        "TLS": "1",
        "USERNAME": "me",
    }.items():
        monkeypatch.setenv(f"CLIPPER_REDIS_{name}", value)
    elsewhere = replace(RECORD, redis_ip="10.0.0.9", redis_port=6380, dns_server=None)
    made = definitions(elsewhere, redis_password="secret")
    expected = {
        "CLIPPER_CLUSTER_NAME": "iris",
        "CLIPPER_REDIS": "10.0.0.9:6380",
        "CLIPPER_REDIS_TLS": "1",
        "CLIPPER_REDIS_USERNAME": "me",
        "CLIPPER_REDIS_PASSWORD": "secret",
    }
    assert dict(made.management_frontend(IMAGES).task.environment) == expected
    # Its own Redis asks for its password alone.
    own = dict(definitions(redis_password="secret").management_frontend(IMAGES).task.environment)
    assert {name: value for name, value in own.items() if name.startswith("CLIPPER_REDIS_")} == {
        "CLIPPER_REDIS_PASSWORD": "secret"
    }
    # Models have nothing to do with Redis.
    assert not [name for name in model(elsewhere).task.environment if "REDIS" in name]


def test_redis_has_its_volume_and_password() -> None:
    job = definitions(redis_password="secret").redis(IMAGES, HostVolume("data"))
    assert (job.volume, job.password, job.task.source) == (HostVolume("data"), "secret", "redis@1")
    assert "secret" not in repr(job)


def test_more_environment_is_everybody_s_and_wins() -> None:
    made = definitions(environment={"CLIPPER_DNS": "10.0.0.2", "TZ": "UTC"})
    spec = ClusterSpec()
    jobs = (
        made.redis(IMAGES, None),
        made.query_frontend(IMAGES, spec),
        made.management_frontend(IMAGES),
        made.model(SPEC, "image@1"),
    )
    assert {(job.task.environment["CLIPPER_DNS"], job.task.environment["TZ"]) for job in jobs} == {
        ("10.0.0.2", "UTC")
    }


def test_the_log_level_is_that_of_the_one_who_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPPER_LOG_LEVEL", "debug")
    assert definitions().management_frontend(IMAGES).task.environment["CLIPPER_LOG_LEVEL"] == "debug"


def test_the_management_frontend_carries_the_record() -> None:
    assert records.read_cluster(definitions().management_frontend(IMAGES).meta) == RECORD


def test_all_jobs_share_their_scheduling_and_models_add_to_it() -> None:
    linux = Constraint("${attr.kernel.name}", "linux")
    gpu = Constraint("${meta.gpu}", "true")
    fast, near = Affinity("${node.class}", "fast"), Affinity("${meta.rack}", "r1")
    rack, pool = Spread("${meta.rack}"), Spread("${node.pool}")
    common = Scheduling("ml", 70, (linux,), (fast,), (rack,))
    made = definitions(
        scheduling=common,
        model_scheduling=Scheduling("gpus", None, (gpu,), (near,), (pool,)),
    )
    others = (made.redis(IMAGES, None), made.query_frontend(IMAGES, ClusterSpec()))
    for job in (*others, made.management_frontend(IMAGES)):
        assert (job.location, job.scheduling) == (LOCATION, common)
    own = made.model(SPEC, "image@1")
    assert own.location == LOCATION
    assert own.scheduling == Scheduling("gpus", 70, (linux, gpu), (fast, near), (pool,))
    assert definitions(scheduling=common).model(SPEC, "image@1").scheduling == common


def test_the_variables_of_a_version_win_over_those_of_all_tasks() -> None:
    spec = replace(SPEC, environment={"GREETING": "hi", "CLIPPER_LOG_LEVEL": "debug"})
    environment = model(spec=spec, environment={"GREETING": "ho", "OTHER": "x"}).task.environment
    assert (environment["GREETING"], environment["OTHER"]) == ("hi", "x")
    assert 'GREETING                = "hi"' in render(model(spec=spec))


def test_a_model_s_job_is_what_is_to_be_deployed() -> None:
    device = Device("nvidia/gpu", 2)
    spec = replace(SPEC, resources=Resources(cpu=1.5, memory=100), devices=(device,))
    job = model(spec=spec, cpu_mhz_per_core=2500)
    assert (job.model, job.input_type, job.count, job.task.source) == (spec.model, "doubles", 3, "image@1")
    assert job.task.resources == TaskResources(3750, 100, None, (device,))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Resources(), TaskResources(500, 512, 1024)),
        (Resources(cpu=2), TaskResources(2000, 512, 1024)),
        (Resources(cpu=0.0001), TaskResources(1, 512, 1024)),
        # What may be used beside it was meant for the default.
        (Resources(memory=2048), TaskResources(500, 2048)),
        (Resources(memory=100, memory_max=150), TaskResources(500, 100, 150)),
        (Resources(memory_max=2048), TaskResources(500, 512, 2048)),
    ],
)
def test_resources_are_in_nomads_units(wanted: Resources, expected: TaskResources) -> None:
    assert model_resources(wanted, (), TaskResources(500, 512, 1024), 1000) == expected

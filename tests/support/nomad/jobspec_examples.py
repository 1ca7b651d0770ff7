"""One job of each kind, with all defaults and with all fields set."""

from __future__ import annotations

from dataclasses import replace

from clipper_nomad.jobspecs import (
    Affinity,
    AnyJob,
    Constraint,
    HostVolume,
    Interpolated,
    Location,
    ManagementFrontendJob,
    ModelJob,
    QueryFrontendJob,
    RedisJob,
    Scheduling,
    Spread,
    Task,
    TaskResources,
    meta,
)
from clipper_nomad.managers.nomad.drivers import DockerDriver, ExecDriver, RegistryAuth
from clipper_nomad.types import Device, ModelVersion

CLUSTER = "iris"
VERSION = "0.1.0"
MODEL = ModelVersion("resnet", "2")
ARCHIVE = f"http://artifacts.example:8080/resnet.tar.gz?a=b&c=d#sha256:{'0a' * 32}"
#: Values that would be syntax if they were not quoted, or quoted badly.
HOSTILE = (
    '"',
    "\\",
    '\\"',
    "\\n",
    "a\nb\r\n\tc",
    "\x00\x01\x7f\x85\u2028\ufeff",
    "${",
    "$${",
    "$$$${ x }",
    "\\${x y}",
    "%{ if true }x%{ endif }",
    "%%{",
    "${ upper(attr.kernel.name) }",
    '${file("/etc/passwd")}',
    '"\n}\njob "other" {',
    "<<EOF\nx\nEOF",
    "# no comment",
    "/* none */",
    "[[ id ]] [% raw %] [# #]",
    "{{ key }}",
    "é 😀 <&>'",
)
_FULL_LOCATION = Location(("dc1", "dc*"), region="global")
_FULL_SCHEDULING = Scheduling(
    node_pool="default",
    priority=70,
    constraints=(
        Constraint("${attr.kernel.name}", "linux"),
        Constraint("${meta.rack-row.name}", "", "is_set"),
        Constraint("${attr.cpu.arch}", "amd64|arm64", "regexp"),
        Constraint("", "true", "distinct_hosts"),
    ),
    affinities=(
        Affinity("${node.class}", "fast", weight=-20),
        Affinity("${attr.nomad.version}", ">= 1.8", "version"),
    ),
    spreads=(Spread("${node.datacenter}", 80, {"dc1": 70, "d c 2": 30}), Spread("${attr.rack}")),
)
_FULL_DOCKER = DockerDriver(
    auth=RegistryAuth("me", 'pass"${word}'),
    force_pull=True,
    image_pull_timeout_s=900,
    network_mode="bridge",
    config={
        "labels": {"com.example/owner": "ml", "alloc": Interpolated("${NOMAD_ALLOC_ID}")},
        "ulimit": {"nofile": "2048:4096"},
        "dns_servers": [f"10.0.0.{number}" for number in range(1, 12)],
        "cpu_hard_limit": True,
    },
)
_RESOURCES = TaskResources(cpu_mhz=500, memory_mib=256)
_DEVICES = (
    Device(
        "nvidia/gpu",
        2,
        ("${device.attr.memory} >= 8 GiB", "${device.attr.uuid} is_set"),
        ("${device.model} regexp A.*",),
    ),
    Device("example/card"),
)
_META = {"note": 'a "quoted" ${word}', "clipper-nomad.spec": '{"a": 1}'}


def at_defaults() -> dict[str, AnyJob]:
    """Return a job of each kind by its component, on Docker, with only the required fields."""

    def task(image: str) -> Task:
        return Task(DockerDriver(), image, _RESOURCES)

    return _by_component(
        RedisJob(cluster_name=CLUSTER, version=VERSION, task=task("redis:1")),
        QueryFrontendJob(cluster_name=CLUSTER, version=VERSION, task=task("query:1")),
        ManagementFrontendJob(cluster_name=CLUSTER, version=VERSION, task=task("management:1")),
        ModelJob(
            cluster_name=CLUSTER, version=VERSION, task=task("resnet:2"), model=MODEL, input_type="doubles"
        ),
    )


def at_fullest() -> dict[str, AnyJob]:
    """Return a job of each kind by its component, with all fields set."""
    return _by_component(
        RedisJob(
            cluster_name=CLUSTER,
            version=VERSION,
            task=_full_task("registry.example:5000/redis@sha256:1"),
            location=_FULL_LOCATION,
            scheduling=_FULL_SCHEDULING,
            meta=_META,
            volume=HostVolume("redis data", is_sticky=True),
            password="--x 'y' \"z\"",
        ),
        QueryFrontendJob(
            cluster_name=CLUSTER,
            version=VERSION,
            task=_full_task("query:1"),
            location=_FULL_LOCATION,
            scheduling=_FULL_SCHEDULING,
            meta=_META,
            count=3,
            query_tags=("urlprefix-/clipper-iris/ strip=/clipper-iris", 'quo"ted'),
            rpc_tags=("urlprefix-:7000 proto=tcp",),
        ),
        ManagementFrontendJob(
            cluster_name=CLUSTER,
            version=VERSION,
            task=_full_task("management:1"),
            location=_FULL_LOCATION,
            scheduling=_FULL_SCHEDULING,
            meta=_META,
            tags=("urlprefix-/admin/",),
        ),
        ModelJob(
            cluster_name=CLUSTER,
            version=VERSION,
            task=_full_task("resnet:2", _DEVICES),
            location=_FULL_LOCATION,
            scheduling=_FULL_SCHEDULING,
            meta=_META,
            count=5,
            model=MODEL,
            input_type="doubles",
        ),
    )


def without_images(driver: ExecDriver) -> dict[str, AnyJob]:
    """Return a job of each kind by its component, for a driver that runs installed programs."""
    sources = {meta.MODEL: ARCHIVE}
    return {
        component: replace(job, task=replace(job.task, driver=driver, source=sources.get(component, "")))
        for component, job in at_defaults().items()
    }


def _full_task(image: str, devices: tuple[Device, ...] = ()) -> Task:
    environment = {f"HOSTILE_{number}": text for number, text in enumerate(HOSTILE)}
    resources = replace(_RESOURCES, memory_max_mib=1024, devices=devices)
    return Task(_FULL_DOCKER, image, resources, {**environment, "CLIPPER_DRAIN_TIMEOUT_S": "7"})


def _by_component(*jobs: AnyJob) -> dict[str, AnyJob]:
    return {job.component: job for job in jobs}

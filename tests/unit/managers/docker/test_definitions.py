"""The containers of a cluster on Docker: environments, ports, names, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_nomad.errors import ClipperWarning, ContainerManagerError
from clipper_nomad.managers.dns_names import require_dns_name
from clipper_nomad.managers.docker import definitions, labels
from clipper_nomad.managers.docker.definitions import Definition
from clipper_nomad.managers.docker.labels import ClusterRecord, ModelRecord
from clipper_nomad.types import ClusterSpec, Device, ModelVersion, Resources

RECORD = ClusterRecord(
    version="0.1.0",
    docker_ip="localhost",
    network="clipper_network",
    query_port=1337,
    management_port=1338,
    rpc_port=7000,
    redis_ip=None,
    redis_port=6379,
)
MODEL = ModelRecord(
    ModelVersion("m", "1"), "doubles", "repository/m:1", "sha256:abc", ("f.0:7000", "f.1:7000")
)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?", fullmatch=True)


def query_frontend(index: int = 0, record: ClusterRecord = RECORD, **spec: Any) -> Definition:
    return definitions.query_frontend(
        "iris", record, ClusterSpec(**spec), "sha256:q", {}, index=index, query_port=1337 + index
    )


@given(NAMES, NAMES, NAMES, NAMES, NAMES, NAMES, st.integers(0, 9), st.integers(0, 9))
def test_no_two_replicas_share_a_name(a: str, b: str, c: str, d: str, e: str, f: str, i: int, j: int) -> None:
    one = labels.replica_name(a, ModelVersion(b, c), i)
    other = labels.replica_name(d, ModelVersion(e, f), j)
    assert (one == other) == ((a, b, c, i) == (d, e, f, j))


@pytest.mark.parametrize("name", ["", "a.b", "A", "-a", "a-", "a_b", "a" * 64])
def test_an_ambiguous_name_is_refused(name: str) -> None:
    with pytest.raises(ContainerManagerError, match="cluster name"):
        require_dns_name(name, "cluster name")


def test_frontends_find_redis_and_are_found_by_their_names() -> None:
    environment = query_frontend(1).environment
    assert environment["CLIPPER_REDIS"] == "clipper.iris.redis:6379"
    assert environment["CLIPPER_ADVERTISE_RPC"] == "clipper.iris.query-frontend.1:7000"
    assert definitions.rpc_address("iris", 1) == environment["CLIPPER_ADVERTISE_RPC"]


def test_frontends_reach_each_other_on_the_network_and_the_admin_library_at_a_published_port() -> None:
    frontend = query_frontend(1)
    assert frontend.environment["CLIPPER_ADVERTISE_PEER"] == "clipper.iris.query-frontend.1:1390"
    assert frontend.environment["CLIPPER_ADMIN_PORT"] == "1390"
    assert frontend.environment["CLIPPER_ADMIN_HOST"] == "0.0.0.0"
    assert frontend.environment["CLIPPER_ADVERTISE_ADMIN"] == "localhost:1338"
    assert 1338 in [each.host_port for each in frontend.published]


def test_the_management_frontend_answers_to_every_name_that_it_is_asked_by() -> None:
    record = replace(RECORD, docker_ip="docker.example")
    given = {"CLIPPER_ALLOWED_HOSTS": "admin.example"}
    environment = definitions.management_frontend("iris", record, "sha256:m", given).environment
    assert environment["CLIPPER_ALLOWED_HOSTS"].split(",") == [
        "admin.example",
        "clipper.iris.management-frontend",
        "docker.example",
    ]


def test_a_redis_elsewhere_is_used() -> None:
    record = replace(RECORD, redis_ip="10.0.0.1", redis_port=6380)
    assert query_frontend(record=record).environment["CLIPPER_REDIS"] == "10.0.0.1:6380"


def test_the_first_frontend_publishes_the_rpc_port_too() -> None:
    assert [each.host_port for each in query_frontend(0).published] == [1337, 7000]
    assert [each.host_port for each in query_frontend(1).published] == [1338]


@pytest.mark.parametrize(
    ("docker_ip", "bound"),
    [
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.5", "192.168.1.5"),
        ("fd00::5", "fd00::5"),
        ("gpu-box.example", "0.0.0.0"),
    ],
)
def test_ports_are_bound_to_an_address_but_not_to_a_name(docker_ip: str, bound: str) -> None:
    assert definitions.host_ip(docker_ip) == bound


def test_another_spec_version_or_image_is_another_definition() -> None:
    one = query_frontend()
    assert query_frontend().digest == one.digest
    assert query_frontend(prediction_cache_bytes=5).digest != one.digest
    assert query_frontend(record=replace(RECORD, version="0.2.0")).digest != one.digest
    assert replace(one, image="sha256:other").digest != one.digest


def test_replicas_know_every_frontend_and_those_of_rpc_version_3_the_first() -> None:
    environment = definitions.replica("iris", RECORD, MODEL, 0).environment
    assert environment["CLIPPER_RPC_ADDRESS"] == "f.0:7000,f.1:7000"
    assert (environment["CLIPPER_IP"], environment["CLIPPER_PORT"]) == ("f.0", "7000")
    assert environment["CLIPPER_CLUSTER_NAME"] == "iris"


def test_a_replica_has_its_versions_environment_below_the_managers() -> None:
    given = {"GREETING": "hi", "CLIPPER_IP": "elsewhere"}
    model = replace(MODEL, environment=given)
    definition = definitions.replica("iris", RECORD, model, 0)
    assert definition.environment["GREETING"] == "hi"
    assert definition.environment["CLIPPER_IP"] == "f.0"
    # Replicas that are started later are made of the label.
    assert labels.read_model(definition.all_labels).environment == given


def test_a_replica_runs_the_image_that_the_name_meant_when_it_was_deployed() -> None:
    definition = definitions.replica("iris", RECORD, MODEL, 0)
    assert definition.image == "sha256:abc"
    assert labels.read_model(definition.all_labels) == MODEL


def test_stopping_leaves_the_time_to_drain() -> None:
    drain_s = int(query_frontend().environment["CLIPPER_DRAIN_TIMEOUT_S"])
    assert query_frontend().stop_timeout_s > drain_s
    assert definitions.replica("iris", RECORD, MODEL, 0).stop_timeout_s > drain_s


def test_limits_are_in_the_engines_units() -> None:
    model = replace(MODEL, resources=Resources(cpu=1.5, memory=100))
    assert definitions.replica("iris", RECORD, model, 0).limits() == {
        "nano_cpus": 1_500_000_000,
        "mem_limit": 104_857_600,
        "memswap_limit": 104_857_600,
    }
    assert definitions.replica("iris", RECORD, MODEL, 0).limits() == {}


@pytest.mark.parametrize(
    ("resources", "limits"),
    [
        (Resources(memory=100, memory_max=150), {"mem_limit": 157_286_400, "mem_reservation": 104_857_600}),
        (Resources(memory_max=150), {"mem_limit": 157_286_400}),
    ],
)
def test_spare_memory_may_be_used_up_to_the_maximum(resources: Resources, limits: dict[str, int]) -> None:
    found = definitions.replica("iris", RECORD, replace(MODEL, resources=resources), 0).limits()
    assert found == {**limits, "memswap_limit": limits["mem_limit"]}


def test_gpus_are_counted_and_other_devices_refused() -> None:
    assert definitions.count_gpus((Device("nvidia/gpu", 2), Device("nvidia/gpu"))) == 3
    with pytest.raises(ContainerManagerError, match="'intel/gpu'"):
        definitions.count_gpus((Device("intel/gpu"),))
    with pytest.warns(ClipperWarning, match="one machine only"):
        definitions.count_gpus((Device("nvidia/gpu", constraints=("${device.attr.memory} > 1",)),))


def test_an_unreadable_record_is_reported_as_another_versions() -> None:
    assert labels.read_record(labels.of_record(RECORD)) == RECORD
    with pytest.raises(ContainerManagerError, match="another version of clipper-nomad"):
        labels.read_record({labels.RECORD: '{"new": 1}', labels.CLUSTER: "iris"})


def test_settings_are_read_back_from_the_query_frontends_whatever_their_number() -> None:
    spec = ClusterSpec(3, 7, 2.0, None, "image")
    assert labels.read_spec(labels.of_spec(spec), 3) == spec
    assert labels.of_spec(spec) == labels.of_spec(ClusterSpec(1, 7, 2.0, None, "image"))
    assert labels.read_spec({}, 2) == ClusterSpec(2)

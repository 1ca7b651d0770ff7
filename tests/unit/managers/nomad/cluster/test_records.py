"""A cluster's record in its jobs: read back, and refused if another version wrote it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import meta
from clipper_nomad.managers.compatibility import require_compatible
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.records import ClusterRecord
from clipper_nomad.types import ClusterSpec

RECORD = ClusterRecord(
    version="0.2.0",
    query_address="fabio:9999/clipper",
    management_address=None,
    rpc_address="fabio:7000",
    rpc_seeds=("fabio:7000", "srv:clipper-iris-rpc.service.consul"),
    redis_ip=None,
    redis_port=6379,
    dns_server="10.0.0.1:8600",
    rpc_proxy_only=False,
)


def test_a_record_is_read_as_it_was_written() -> None:
    carried = records.of_cluster(RECORD)
    assert records.read_cluster({**carried, meta.CLUSTER: "iris"}) == RECORD
    assert records.read_rpc_address(carried) == "fabio:7000"


@pytest.mark.parametrize("text", ["", "nothing", "{}", '{"version": "9.0"}', "[]"])
def test_what_another_version_wrote_is_said_to_be_that(text: str) -> None:
    with pytest.raises(ContainerManagerError, match=r"cluster 'iris' .* another version of clipper-nomad"):
        records.read_cluster({meta.CLUSTER: "iris", records.RECORD: text})
    assert records.read_rpc_address({records.RECORD: text}) is None


def test_a_job_without_a_record_is_told_too() -> None:
    with pytest.raises(ContainerManagerError, match="another version"):
        records.read_cluster({meta.CLUSTER: "iris"})
    assert records.read_rpc_address({}) is None


def test_a_later_version_may_say_more() -> None:
    said = json.loads(records.of_cluster(RECORD)[records.RECORD])
    later = {records.RECORD: json.dumps({**said, "something": "new"})}
    assert records.read_cluster(later) == RECORD
    # What is needed of a neighbour is read of any version, whatever else it says.
    assert records.read_rpc_address({records.RECORD: '{"rpc_address": "fabio:7001", "a": 1}'}) == "fabio:7001"


def test_an_older_version_does_not_roll_a_newer_one() -> None:
    newer = replace(RECORD, version="0.10.0")
    require_compatible(newer, RECORD, "iris", {})
    with pytest.raises(ContainerManagerError, match=r"runs version 0\.10\.0, and this is the older 0\.2\.0"):
        require_compatible(RECORD, newer, "iris", {})


def test_what_no_roll_can_change_is_refused() -> None:
    fixed = {"query_address": "the query address", "redis_port": "redis_port"}
    require_compatible(replace(RECORD, rpc_seeds=(), dns_server=None), RECORD, "iris", fixed)
    wanted = replace(RECORD, query_address=None, redis_port=6380)
    said = "the query address 'fabio:9999/clipper' and not None, redis_port 6379 and not 6380"
    with pytest.raises(ContainerManagerError, match=said):
        require_compatible(wanted, RECORD, "iris", fixed)


def test_settings_are_read_back_from_the_query_frontends_job_whatever_its_count() -> None:
    spec = ClusterSpec(3, 7, 2.0, None, "image")
    assert records.read_spec(records.of_spec(spec), 3) == spec
    assert records.of_spec(spec) == records.of_spec(ClusterSpec(1, 7, 2.0, None, "image"))
    assert records.read_spec({}, 2) == ClusterSpec(2)
    assert records.read_spec({records.SPEC: "not JSON"}, 1) == ClusterSpec()

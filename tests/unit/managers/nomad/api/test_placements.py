"""The reasons in words when Nomad's scheduler cannot place an allocation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.managers.nomad.api import placements

RECORDED = Path(__file__).parent / "recorded"
JOB = {
    "TaskGroups": [
        {
            "Name": "model",
            "Tasks": [{"Driver": "docker", "Resources": {"Devices": [{"Name": "nvidia/gpu", "Count": 2}]}}],
        }
    ]
}
THREE_NODES = {"NodesEvaluated": 3, "NodesInPool": 3, "NodesAvailable": {"dc1": 3}, "CoalescedFailures": 1}


def describe(metric: dict[str, Any]) -> str:
    return placements.read({"model": metric}, JOB)["model"].describe()


def test_a_missing_device_is_named_as_nomad_does_not() -> None:
    failed = json.loads((RECORDED / "device_missing.json").read_text())
    found = placements.read(failed, JOB)["model"]
    assert found.describe() == (
        "1 allocation is not placed: of 1 node, missing device nvidia/gpu (count 2) on 1 node"
    )
    assert "missing devices on 1 node" in placements.read(failed, None)["model"].describe()


def test_what_a_missing_device_had_to_be_is_said_too() -> None:
    failed = json.loads((RECORDED / "device_missing.json").read_text())
    constraints = [
        {"LTarget": "${device.attr.memory}", "Operand": ">=", "RTarget": "8 GiB"},
        {"LTarget": "${device.attr.uuid}", "Operand": "is_set", "RTarget": ""},
    ]
    device = {"Name": "nvidia/gpu", "Count": 1, "Constraints": constraints}
    task = {"Driver": "docker", "Resources": {"Devices": [device]}}
    found = placements.read(failed, {"TaskGroups": [{"Name": "model", "Tasks": [task]}]})["model"]
    asked = "(count 1, ${device.attr.memory} >= 8 GiB, ${device.attr.uuid} is_set)"
    assert f"missing device nvidia/gpu {asked} on 1 node" in found.describe()


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (
            {"DimensionExhausted": {"memory": 2}, "ConstraintFiltered": {"missing drivers": 1}},
            "of 3 nodes, missing or unhealthy driver docker on 1 node; not enough memory left on 2 nodes",
        ),
        (
            {"DimensionExhausted": {"devices: no devices match request": 3}},
            "not enough devices left of nvidia/gpu (count 2) (devices: no devices match request) on 3 nodes",
        ),
        (
            {"DimensionExhausted": {"network: reserved port collision": 3}},
            "network: reserved port collision on 3 nodes",
        ),
        (
            {"ConstraintFiltered": {"${attr.cpu.arch} = arm64": 2, "computed class ineligible": 1}},
            "constraint ${attr.cpu.arch} = arm64 not met on 2 nodes; of a class that was filtered out before",
        ),
        ({"ClassFiltered": {"large": 3}}, "node class large on 3 nodes"),
        ({"QuotaExhausted": ["memory"]}, "the quota is used up: memory"),
    ],
)
def test_what_is_lacking_is_said_with_the_number_of_nodes(metric: dict[str, Any], text: str) -> None:
    found = describe({**THREE_NODES, **metric})
    assert found.startswith("2 allocations are not placed: ")
    assert text in found


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        ({"NodesInPool": 0, "NodePool": "gpu"}, "no node is ready in the node pool gpu"),
        (
            {"NodesInPool": 3, "NodesAvailable": {"dc1": 3, "dc9": 0}},
            "no node is ready in the datacenters dc9",
        ),
        (
            {"NodesInPool": 3, "NodesAvailable": None},
            "no node is ready in the datacenters that the job names",
        ),
    ],
)
def test_where_there_is_no_node_that_is_said(metric: dict[str, Any], text: str) -> None:
    assert describe({"NodesEvaluated": 0, **metric}) == f"1 allocation is not placed: {text}"


def test_nothing_failed_is_read_as_nothing() -> None:
    assert placements.read(None, JOB) == {}

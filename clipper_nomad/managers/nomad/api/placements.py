"""The reasons why Nomad's scheduler could not place allocations of a job, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: No node has the volume that is asked for.
MISSING_VOLUMES = "missing compatible host volumes"
_MISSING_DRIVERS = "missing drivers"
_MISSING_DEVICES = "missing devices"
#: Nomad's word for nodes that it skipped, since one of their class had been filtered out.
_SAME_CLASS = "computed class ineligible"
_SAME_CLASS_IN_WORDS = "of a class that was filtered out before"


@dataclass(frozen=True)
class Failure:
    """Why allocations of a group were not placed. `num_unplaced` is how many.

    `filtered` (by constraint) and `exhausted` (by dimension) count nodes, `nodes_available` by datacenter.
    `drivers` and `devices` are what the group requests: Nomad itself does not say which of them is missing.
    """

    num_unplaced: int
    nodes_evaluated: int
    nodes_in_pool: int
    node_pool: str
    nodes_available: Mapping[str, int]
    filtered: Mapping[str, int]
    classes_filtered: Mapping[str, int]
    exhausted: Mapping[str, int]
    quotas: tuple[str, ...]
    drivers: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the reason in one sentence, with the dimension, driver or device that is missing."""
        unplaced = "1 allocation is" if self.num_unplaced == 1 else f"{self.num_unplaced} allocations are"
        return f"{unplaced} not placed: {'; '.join(self._reasons()) or 'Nomad gives no reason'}"

    def _reasons(self) -> list[str]:
        reasons = self._no_node_reasons()
        reasons += [f"{self._name(what)} on {_nodes(count)}" for what, count in _most(self.filtered)]
        reasons += [f"node class {name} on {_nodes(count)}" for name, count in _most(self.classes_filtered)]
        reasons += [f"{self._exhausted(what)} on {_nodes(count)}" for what, count in _most(self.exhausted)]
        reasons += [f"the quota is used up: {each}" for each in self.quotas]
        if self.nodes_evaluated and (self.filtered or self.exhausted or self.classes_filtered):
            reasons[0] = f"of {_nodes(self.nodes_evaluated)}, {reasons[0]}"
        return reasons

    def _no_node_reasons(self) -> list[str]:
        if self.nodes_evaluated:
            return []
        if not self.nodes_in_pool:
            return [f"no node is ready in the node pool {self.node_pool or 'default'}"]
        empty = sorted(name for name, count in self.nodes_available.items() if not count)
        if empty or not self.nodes_available:
            return [f"no node is ready in the datacenters {', '.join(empty) or 'that the job names'}"]
        return ["no node was considered"]

    def _name(self, what: str) -> str:
        if what == _MISSING_DRIVERS and self.drivers:
            return f"missing or unhealthy driver {' or '.join(self.drivers)}"
        if what == _MISSING_DEVICES and self.devices:
            return f"missing device {' or '.join(self.devices)}"
        if what == _SAME_CLASS:
            return _SAME_CLASS_IN_WORDS
        return f"constraint {what} not met" if what.startswith("${") else what

    def _exhausted(self, what: str) -> str:
        if what.startswith("devices:") and self.devices:
            return f"not enough devices left of {' or '.join(self.devices)} ({what})"
        return f"not enough {what} left" if ":" not in what and "exhausted" not in what else what


def read(failed: Mapping[str, Mapping[str, Any]] | None, job: Mapping[str, Any] | None) -> dict[str, Failure]:
    """Return the failures in a plan's or evaluation's `FailedTGAllocs`, by group; `job` is the job's JSON."""
    groups = {group["Name"]: group for group in (job or {}).get("TaskGroups") or ()}
    return {name: _read_one(metric, groups.get(name) or {}) for name, metric in (failed or {}).items()}


def _read_one(metric: Mapping[str, Any], group: Mapping[str, Any]) -> Failure:
    tasks = group.get("Tasks") or ()
    asked = [device for task in tasks for device in (task.get("Resources") or {}).get("Devices") or ()]
    return Failure(
        num_unplaced=1 + (metric.get("CoalescedFailures") or 0),
        nodes_evaluated=metric.get("NodesEvaluated") or 0,
        nodes_in_pool=metric.get("NodesInPool") or 0,
        node_pool=metric.get("NodePool") or "",
        nodes_available=metric.get("NodesAvailable") or {},
        filtered=metric.get("ConstraintFiltered") or {},
        classes_filtered=metric.get("ClassFiltered") or {},
        exhausted=metric.get("DimensionExhausted") or {},
        quotas=tuple(metric.get("QuotaExhausted") or ()),
        drivers=tuple(sorted({task["Driver"] for task in tasks})),
        devices=tuple(sorted(set(map(_describe_device, asked)))),
    )


def _describe_device(asked: Mapping[str, Any]) -> str:
    """Return the requested device, as in `nvidia/gpu (count 1, ${device.attr.memory} >= 8 GiB)`."""
    wanted = [f"count {asked.get('Count', 1)}"]
    wanted += [
        " ".join(filter(None, (each["LTarget"], each["Operand"], each["RTarget"])))
        for each in asked.get("Constraints") or ()
    ]
    return f"{asked['Name']} ({', '.join(wanted)})"


def _most(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the pairs, those with the most nodes first."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"

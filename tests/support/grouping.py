"""Groups and marks of tests, by the fixtures that they need: what runs in parallel, what a laptop leaves out.

Tests of one group run one after the other in one process: they share a cluster or an engine, and some
restart its agents. Groups run beside each other. Without a cluster or an engine, a file is a group.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.nomad.plan import CONTRACT, PLAIN, SECURE, ClusterPlan
from tests.support.paths import TESTS
from tests.support.scheduling import QUIET

_DOCKER = "docker"
#: The clusters of tests, by fixture and by the contract suite's parameter.
CLUSTERS: dict[str, ClusterPlan] = {
    "nomad_cluster": PLAIN,
    "nomad": CONTRACT,
    "nomad-raw_exec": CONTRACT,
    "secure_nomad_cluster": SECURE,
}
#: The names that need a Docker engine; Nomad's docker driver does too.
ENGINE = frozenset({"docker_client", _DOCKER, "nomad"})
#: The fixtures that need OpenTofu.
TOFU = frozenset({"tofu", "rendered"})
#: The fixture of a cluster of nodes in network namespaces.
NODES = "node_cluster"
#: The names that need something whose first build takes minutes.
SLOW_TO_MAKE = frozenset({*CLUSTERS, *ENGINE, *TOFU, NODES})

# The contract suite's parameter: its value names the manager, and so what the test needs.
_CHOOSING = "make_harness"
_SLOW_FOLDERS = ("contract", "system")
# The groups with the names that need them; the first that fits counts. The longest group begins first.
_GROUPS = {
    "nomad": frozenset({"nomad_cluster"}),
    "contract-nomad": frozenset({"nomad", "nomad-raw_exec"}),
    "docker": ENGINE,
    "secure-nomad": frozenset({"secure_nomad_cluster"}),
}
# The folder whose tests share a cluster of their own.
_HOSTILE = "hostile"
# The demonstrations take a cluster's usual ports, so there is one at a time.
_DEMO = "demo"
# Then folders in this order. Unit tests are short: with them last, all processes end together.
_FOLDERS = ("contract", "system", _HOSTILE, "functional", "unit")
_ORDER = [*_GROUPS, _DEMO, *_FOLDERS, QUIET]


def asks_for(items: Iterable[pytest.Item]) -> frozenset[str]:
    """Return the names of the tests' fixtures, and the parameters that choose one."""
    return frozenset[str]().union(*map(_asks_for, items))


def _asks_for(item: pytest.Item) -> frozenset[str]:
    chosen = item.callspec.params.get(_CHOOSING) if hasattr(item, "callspec") else None
    # A test that gets a fixture by a parameter of its own has the mark.
    marked = [_DOCKER] if item.get_closest_marker(_DOCKER) else []
    return frozenset((*getattr(item, "fixturenames", ()), *([chosen] if chosen else ()), *marked))


def clusters_of(item: pytest.Item) -> set[ClusterPlan]:
    """Return the plans of the clusters that a test needs."""
    return {CLUSTERS[name] for name in CLUSTERS.keys() & _asks_for(item)}


def mark(item: pytest.Item) -> None:
    """Mark a test with what it needs, and with its group if that is more than its file."""
    asked = _asks_for(item)
    if not asked.isdisjoint(ENGINE):
        item.add_marker(pytest.mark.docker)
    if NODES in asked or not asked.isdisjoint(CLUSTERS):
        item.add_marker(pytest.mark.nomad)
    if NODES in asked:
        # Its agents take each other for dead if they do not run for seconds.
        item.add_marker(pytest.mark.quiet)
    if _folder(item.path) in _SLOW_FOLDERS:
        item.add_marker(pytest.mark.slow)
    if group := _find_group(item, asked):
        item.add_marker(pytest.mark.xdist_group(group))


def groups_of(items: Iterable[pytest.Item]) -> dict[str, str]:
    """Return the groups of the tests that have one, by their ids."""
    marks = {item.nodeid: item.get_closest_marker("xdist_group") for item in items}
    return {name: found.args[0] for name, found in marks.items() if found}


def _find_group(item: pytest.Item, asked: frozenset[str]) -> str | None:
    if item.get_closest_marker("quiet"):
        return QUIET
    if _folder(item.path) == _HOSTILE:
        return _HOSTILE
    if item.path.name.startswith("test_demo"):
        return _DEMO
    return next((name for name, names in _GROUPS.items() if not asked.isdisjoint(names)), None)


def rank(item: pytest.Item) -> int:
    """Return a test's place in the order in which groups begin."""
    found, folder = item.get_closest_marker("xdist_group"), _folder(item.path)
    return _ORDER.index(found.args[0] if found else folder if folder in _FOLDERS else _FOLDERS[0])


def _folder(path: Path) -> str:
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""

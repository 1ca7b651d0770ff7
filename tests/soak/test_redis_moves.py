"""Redis stopped again and again on a real Nomad, under steady queries: no query frontend may end by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.nomad import DynamicVolume
from tests.support.nomad.clipper import APP, Clipper
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.traffic import Traffic

pytestmark = pytest.mark.timeout(1800)

STOPS = 20
#: Queries after each stop, once all is well again.
_AFTERWARDS = 50
_ENDS = ("Terminated", "Killing", "Restart Signaled", "Restarting")


@pytest.fixture
def clipper(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clipper]:
    """A cluster that keeps its state on a volume, as one in production does."""
    folder = tmp_path_factory.mktemp("models")
    with Clipper(nomad_cluster, image_settings, folder, redis_volume=DynamicVolume()) as made:
        yield made


def test_no_query_frontend_ends_while_redis_is_stopped_again_and_again(clipper: Clipper) -> None:
    before = clipper.allocation_ids("query-frontend")
    lost, ends = 0, []
    for turn in range(1, STOPS + 1):
        with Traffic(clipper.connection.get_query_addr(), APP) as traffic:
            clipper.move("redis")
            clipper.wait_until_whole()
            traffic.more(_AFTERWARDS)
            figures = traffic.figures(f"Redis stopped, {turn} of {STOPS}", 0.0)
        lost += figures.num_lost
        ends = _find_ends(clipper, before)
        print(figures, f"; ends of query frontends so far: {ends or 'none'}", flush=True)
    assert not ends
    assert clipper.allocation_ids("query-frontend") == before
    assert lost == 0


def _find_ends(clipper: Clipper, allocations: set[str]) -> list[str]:
    """Return what Nomad recorded when tasks of these allocations ended: exit codes, signals, memory."""
    return [
        f"{allocation[:8]} {event['Type']}: {event['DisplayMessage']}"
        for allocation in sorted(allocations)
        for task in _task_states(clipper, allocation)
        for event in task["Events"]
        if event["Type"] in _ENDS
    ]


def _task_states(clipper: Clipper, allocation: str) -> Iterable[dict[str, Any]]:
    found = clipper.nomad_cluster.nomad.request("GET", f"/v1/allocation/{allocation}")
    states: dict[str, dict[str, Any]] = found["TaskStates"] or {}
    return states.values()

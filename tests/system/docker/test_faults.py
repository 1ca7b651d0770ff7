"""A cluster of containers that are killed and removed while queries go on."""

from __future__ import annotations

import asyncio
import http.client
import time
from pathlib import Path

import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.docker import DockerContainerManager
from tests.contract.harness import DockerHarness
from tests.support.frontends.cluster import predict, request
from tests.support.frontends.load import SteadyLoad
from tests.support.models import row_sums
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(240)
_APP = "app"


@pytest.fixture
def connection(harness: DockerHarness, tmp_path: Path) -> ClipperConnection:
    """A cluster of two frontends and two replicas, which serve an application."""
    made = ClipperConnection(harness.make_manager())
    made.start_clipper(num_frontend_replicas=2)
    made.register_application(_APP, "doubles", "none", 3_000_000)
    save_closure(row_sums(), tmp_path / "model")
    image = made.build_model("sums", 1, tmp_path / "model", "default")
    made.deploy_model("sums", 1, "doubles", image, num_replicas=2)
    made.link_model_to_app(_APP, "sums")
    return made


def is_whole(manager: DockerContainerManager) -> bool:
    """Return whether the management frontend answers, and each query frontend has both replicas."""
    try:
        for address in (manager.get_management_address(), *manager.query_addresses()):
            if request(address, "GET", "/health/ready")[0] != 200:
                return False
        metrics = [request(address, "GET", "/metrics")[1] for address in manager.query_addresses()]
    except (OSError, http.client.HTTPException):
        return False
    return all(b'clipper_live_replicas{model="sums",version="1"} 2.0' in each for each in metrics)


async def test_every_container_is_killed_in_turn_and_nothing_is_lost_but_queries_in_flight(
    harness: DockerHarness, connection: ClipperConnection
) -> None:
    manager = harness.make_manager()
    manager.connect()
    await asyncio.to_thread(eventually, lambda: is_whole(manager), "all replicas are everywhere")
    first, second = (
        SteadyLoad(address, _APP, connections=2, pause_s=0.01) for address in manager.query_addresses()
    )
    loads = {"query-frontend.0": first, "query-frontend.1": second}
    async with first, second:
        await asyncio.gather(first.more(50), second.more(50))
        for part, before in harness.parts().items():
            killed_s = time.perf_counter()
            lost_before = {name: len(load.lost) for name, load in loads.items()}
            await asyncio.to_thread(kill_and_wait, harness, manager, part, before)
            back_s = time.perf_counter()
            await asyncio.gather(first.more(50), second.more(50))
            for name, load in loads.items():
                assert not [each for each in load.since(back_s) if each.is_default], f"after {part}"
                # A client of the killed frontend loses its queries in flight, and may get no model at first.
                if name != part:
                    assert len(load.lost) == lost_before[name], f"{name} lost queries to {part}"
                    assert not [each for each in load.since(killed_s) if each.is_default], f"{name}, {part}"
    assert connection.get_all_apps() == [_APP]
    assert connection.get_all_models() == ["sums:1"]


def kill_and_wait(harness: DockerHarness, manager: DockerContainerManager, part: str, before: str) -> None:
    harness.kill(part)
    eventually(lambda: harness.parts().get(part, before) != before, f"{part} is started again")
    eventually(lambda: is_whole(manager), f"the cluster is whole again after {part} was killed")


def test_a_removed_redis_has_all_its_state_at_the_next_start(
    harness: DockerHarness, connection: ClipperConnection
) -> None:
    before = harness.parts()
    harness.containers()["redis"].remove(force=True)
    assert predict(connection.get_query_addr(), _APP, input=[1.0, 1.0])["output"] == 2.0
    connection.start_clipper(num_frontend_replicas=2)
    after = harness.parts()
    assert {name for name in after if after[name] != before[name]} == {"redis"}
    eventually(lambda: connection.get_linked_models(_APP) == ["sums"], "the registry is read again")
    assert connection.get_all_apps() == [_APP]
    assert connection.get_all_models() == ["sums:1"]
    assert predict(connection.get_query_addr(), _APP, input=[1.0, 2.0])["output"] == 3.0

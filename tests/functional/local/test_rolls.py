"""Rolls of a local cluster's query frontends under a steady load: no query is lost, none gets a default."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.local.frontends import Frontends
from clipper_nomad.managers.local.supervisor import Supervisor
from tests.support.frontends.load import SteadyLoad
from tests.support.local_clusters import LocalCluster
from tests.support.rolls import require_lossless_rolls, serve


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("num_frontends", "num_rolls"), [(1, 3), (2, 1)])
async def test_a_roll_under_load_loses_nothing(tmp_path: Path, num_frontends: int, num_rolls: int) -> None:
    await require_lossless_rolls(tmp_path, num_frontends, num_rolls)


async def test_a_roll_that_fails_under_load_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_ready: Any = Frontends._wait_ready
    with LocalCluster(tmp_path / "state") as cluster:

        def fail_once(frontends: Frontends, record: Any, names: Any, *ports: Any) -> None:
            wait_ready(frontends, record, names, *ports)
            if names == ["query-frontend-0"]:
                monkeypatch.setattr(Frontends, "_wait_ready", wait_ready)
                raise ContainerManagerError("the new frontend is not what it should be")

        connection = serve(cluster, tmp_path / "model")
        async with SteadyLoad(connection.get_query_addr(), connections=8) as load:
            await load.more(200)
            monkeypatch.setattr(Frontends, "_wait_ready", fail_once)
            with pytest.raises(ContainerManagerError, match="not what it should be"):
                await asyncio.to_thread(connection.start_clipper, cache_size=7)
            await load.more(200)
        assert load.lost == []
        assert load.defaults == []
        assert b"33554432" in read_command_line(cluster.pid("query-frontend-0"))


async def test_a_start_after_supervisord_was_killed_under_load_loses_nothing(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / "state") as cluster:
        connection = serve(cluster, tmp_path / "model")
        before = {each.pid for each in cluster.processes().values()}
        supervisord = Supervisor(cluster.state)._call("getPID")
        async with SteadyLoad(connection.get_query_addr(), connections=8) as load:
            await load.more(200)
            os.kill(supervisord, signal.SIGKILL)
            await load.more(200)
            again = ClipperConnection(cluster.make_manager())
            await asyncio.to_thread(again.start_clipper)
            await load.more(200)
        assert load.lost == []
        assert load.defaults == []
        names = {"redis", "management-frontend", "query-frontend-0", "model.sums.1.0"}
        assert cluster.processes().keys() == names
        assert not before & set(cluster.live_processes())
        assert again.get_all_apps() == ["app"]


def read_command_line(pid: int) -> bytes:
    """Return a process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()

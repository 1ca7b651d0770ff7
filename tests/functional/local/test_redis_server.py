"""The Redis server of a local cluster, and the state that another one has left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.local.redis_server import RedisServer, find_redis_server, prepare_state
from clipper_nomad.types import ClusterSpec
from tests.support.local_clusters import LocalCluster

NEW = RedisServer("/usr/bin/redis-server", "7.0.15")
OLD = RedisServer("/opt/redis-server", "6.2.14")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path / "state") as made:
        yield made


class Servers:
    """The two servers of this machine, the older one first, of which one is found on PATH."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._patch = patch
        patch.setenv("PATH", os.environ["PATH"])
        self._path = os.environ["PATH"]
        on_path = find_redis_server()
        patch.setenv("PATH", "")
        from_wheel = find_redis_server()
        self.old, self.new = sorted((on_path, from_wheel), key=lambda each: each.release)
        assert self.old.release < (7, 0) <= self.new.release

    def choose(self, server: RedisServer) -> None:
        """Put one first on PATH."""
        folder = self._folder / server.version
        folder.mkdir(exist_ok=True)
        link = folder / "redis-server"
        link.unlink(missing_ok=True)
        link.symlink_to(server.executable)
        self._patch.setenv("PATH", f"{folder}:{self._path}")


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Servers:
    return Servers(tmp_path, monkeypatch)


def start(cluster: LocalCluster) -> ClipperConnection:
    connection = ClipperConnection(cluster.make_manager())
    connection.start_clipper()
    return connection


@pytest.mark.parametrize("has_note", [True, False])
def test_an_older_server_than_wrote_the_state_is_refused_and_the_state_stays(
    cluster: LocalCluster, servers: Servers, has_note: bool
) -> None:
    servers.choose(servers.new)
    connection = start(cluster)
    connection.register_application("app", "doubles", "none", 1_000_000)
    connection.stop_all(keep_state=True)
    if not has_note:
        # As versions before the note left it.
        (cluster.state.redis_dir / "server.json").unlink()
    servers.choose(servers.old)
    with pytest.raises(ContainerManagerError, match=r"written by version 7.*is the older 6.*first on PATH"):
        start(cluster)
    assert not cluster.live_processes()
    servers.choose(servers.new)
    assert start(cluster).get_all_apps() == ["app"]


def test_a_newer_server_takes_the_state_over(cluster: LocalCluster, servers: Servers) -> None:
    servers.choose(servers.old)
    connection = start(cluster)
    connection.register_application("app", "doubles", "none", 1_000_000)
    connection.stop_all(keep_state=True)
    servers.choose(servers.new)
    assert start(cluster).get_all_apps() == ["app"]


def test_a_cluster_whose_redis_runs_needs_no_server_on_path(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(cluster)
    monkeypatch.setattr(
        "clipper_nomad.managers.local.frontends.find_redis_server", lambda: pytest.fail("it was looked for")
    )
    cluster.make_manager().start_clipper(ClusterSpec())


def test_a_state_without_a_note_is_judged_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").touch()
    prepare_state(tmp_path, OLD)
    (tmp_path / "server.json").unlink()
    prepare_state(tmp_path, NEW)
    with pytest.raises(ContainerManagerError, match=r"version 7\.0\.15 \(/usr/bin/redis-server\)"):
        prepare_state(tmp_path, OLD)


def test_the_states_of_two_servers_are_not_chosen_from(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").touch()
    (tmp_path / "appendonlydir").mkdir()
    for server in (OLD, NEW):
        with pytest.raises(ContainerManagerError, match="states of two servers"):
            prepare_state(tmp_path, server)


def test_another_patch_of_the_same_release_is_no_older_server(tmp_path: Path) -> None:
    prepare_state(tmp_path, NEW)
    prepare_state(tmp_path, RedisServer(NEW.executable, "7.0.2"))


def test_a_server_that_tells_no_version_is_taken_and_the_note_stays(tmp_path: Path) -> None:
    prepare_state(tmp_path, NEW)
    prepare_state(tmp_path, RedisServer("wrapper", ""))
    with pytest.raises(ContainerManagerError, match="is the older"):
        prepare_state(tmp_path, OLD)

"""A local cluster as a whole: started, found again, rolled, repaired, stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError, UnconnectedException
from clipper_nomad.managers.local.leftovers import is_alive
from clipper_nomad.managers.local.supervisor import Supervisor
from clipper_nomad.types import ClusterSpec, DeploySpec, ModelVersion
from tests.support.frontends.redis_server import RedisServer
from tests.support.local_clusters import CLUSTER_NAME, LocalCluster, build_model
from tests.support.models import row_sums
from tests.support.processes import eventually

MODEL = ModelVersion("sums", "1")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path) as made:
        yield made


def test_a_started_cluster_is_ready_and_starting_it_again_changes_nothing(cluster: LocalCluster) -> None:
    manager = cluster.make_manager()
    manager.start_clipper(ClusterSpec(num_query_frontends=2))
    assert cluster.is_ready("query-frontend-0")
    assert cluster.is_ready("query-frontend-1")
    assert manager.get_query_address() == f"127.0.0.1:{cluster.ports['query_port']}"
    before = cluster.processes()
    cluster.make_manager().start_clipper(ClusterSpec(num_query_frontends=2))
    assert cluster.processes() == before


def test_another_process_connects_by_the_clusters_name_alone(cluster: LocalCluster) -> None:
    cluster.make_manager().start_clipper(ClusterSpec())
    script = (
        "from clipper_nomad.managers.local import LocalContainerManager\n"
        f"manager = LocalContainerManager({CLUSTER_NAME!r})\n"
        "manager.connect()\n"
        "print(manager.get_query_address(), manager.get_management_address())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "CLIPPER_STATE_DIR": str(cluster.state_root)},
        capture_output=True,
        text=True,
        check=True,
    )
    ports = cluster.ports
    assert result.stdout == f"127.0.0.1:{ports['query_port']} 127.0.0.1:{ports['management_port']}\n"


@pytest.mark.parametrize("setting", ["query_port", "management_port", "rpc_port", "redis_port"])
def test_a_taken_port_is_named_and_nothing_is_left(cluster: LocalCluster, setting: str) -> None:
    port = cluster.ports[setting]
    taken = pytest.raises(ContainerManagerError, match=rf"port {port} \({setting}\) is taken")
    with socket.create_server(("127.0.0.1", port), reuse_port=True), taken:
        cluster.make_manager().start_clipper(ClusterSpec())
    assert not cluster.state.path.exists()
    assert not cluster.live_processes()


def test_a_start_that_fails_shows_the_log_and_leaves_nothing(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "redis-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no memory for me\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(ContainerManagerError, match=r"(?s)redis.*exit status 9.*no memory for me"):
        cluster.make_manager().start_clipper(ClusterSpec())
    assert not cluster.state.path.exists()
    assert not cluster.live_processes()


def test_a_running_cluster_is_not_moved_to_other_ports(cluster: LocalCluster) -> None:
    cluster.make_manager().start_clipper(ClusterSpec())
    with pytest.raises(ContainerManagerError, match=f"query_port {cluster.ports['query_port']} and not 1"):
        cluster.make_manager(query_port=1).start_clipper(ClusterSpec())


def test_a_killed_frontend_comes_back(cluster: LocalCluster) -> None:
    cluster.make_manager().start_clipper(ClusterSpec())
    killed = cluster.pid("query-frontend-0")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: cluster.pid("query-frontend-0") not in (0, killed), "the frontend is started again")
    eventually(lambda: cluster.is_ready("query-frontend-0"), "the frontend is ready again")


def test_more_frontends_join_and_fewer_leave_without_touching_the_first(cluster: LocalCluster) -> None:
    manager = cluster.make_manager()
    manager.start_clipper(ClusterSpec())
    first = cluster.pid("query-frontend-0")
    manager.start_clipper(ClusterSpec(num_query_frontends=3))
    assert all(cluster.is_ready(f"query-frontend-{index}") for index in range(3))
    manager.start_clipper(ClusterSpec(num_query_frontends=1))
    assert cluster.processes().keys() == {"redis", "management-frontend", "query-frontend-0"}
    assert cluster.pid("query-frontend-0") == first


def test_another_spec_rolls_the_query_frontends_and_nothing_else(cluster: LocalCluster) -> None:
    manager = cluster.make_manager()
    manager.start_clipper(ClusterSpec())
    before = cluster.processes()
    manager.start_clipper(ClusterSpec(prediction_cache_bytes=1_000_000))
    after = cluster.processes()
    assert {name for name in before if before[name] != after.get(name)} == {"query-frontend-0"}
    assert after.keys() == before.keys()
    assert b"1000000" in Path(f"/proc/{after['query-frontend-0'].pid}/cmdline").read_bytes()


def test_settings_that_are_not_given_stay_whether_the_cluster_runs_or_its_state_is_kept(
    cluster: LocalCluster,
) -> None:
    connection = ClipperConnection(cluster.make_manager(drain_delay_s=0.1))
    connection.start_clipper(cache_size=1_000_000, qf_http_timeout_request=7, num_frontend_replicas=2)
    before, record = cluster.processes(), cluster.state.read()
    ClipperConnection(cluster.make_manager()).start_clipper()
    assert (cluster.processes(), cluster.state.read()) == (before, record)
    connection.stop_all(keep_state=True)
    ClipperConnection(cluster.make_manager()).start_clipper()
    kept = cluster.state.read()
    assert record
    assert kept
    assert (kept.spec, kept.drain_delay_s) == (record.spec, 0.1)
    ClipperConnection(cluster.make_manager()).start_clipper(cache_size=33554432)
    given = cluster.state.read()
    assert given
    assert given.spec == replace(record.spec, prediction_cache_bytes=33554432)


def test_a_roll_that_fails_leaves_the_cluster_as_it_was(cluster: LocalCluster) -> None:
    manager = cluster.make_manager()
    manager.start_clipper(ClusterSpec())
    record = cluster.state.read()
    with pytest.raises(ContainerManagerError, match="could not start"):
        manager.start_clipper(ClusterSpec(prediction_cache_bytes=-5))
    assert cluster.state.read() == record
    eventually(lambda: cluster.is_ready("query-frontend-0"), "the frontend runs as before")
    assert cluster.processes().keys() == {"redis", "management-frontend", "query-frontend-0"}


def test_kept_state_brings_applications_and_replicas_back(cluster: LocalCluster, tmp_path: Path) -> None:
    connection = ClipperConnection(cluster.make_manager())
    connection.start_clipper()
    connection.register_application("app", "doubles", "none", 1_000_000)
    manager = cluster.make_manager()
    manager.connect()
    image = build_model(manager, tmp_path / "model", row_sums())
    connection.deploy_model("sums", 1, "doubles", image, num_replicas=2)
    connection.stop_all(keep_state=True)
    assert not cluster.live_processes()

    again = ClipperConnection(cluster.make_manager())
    again.start_clipper()
    assert again.get_all_apps() == ["app"]
    assert again.get_num_replicas("sums") == 2
    eventually(lambda: len(again.get_all_model_replicas()) == 2, "both replicas are connected again")


def test_a_stop_leaves_no_process_and_no_state(cluster: LocalCluster) -> None:
    manager = cluster.make_manager()
    manager.start_clipper(ClusterSpec())
    assert cluster.live_processes()
    manager.stop_all()
    assert not cluster.live_processes()
    assert not cluster.state.path.exists()
    with pytest.raises(UnconnectedException):
        manager.get_query_address()


def test_a_cluster_that_another_process_stopped_is_reported_as_gone(cluster: LocalCluster) -> None:
    manager, other = cluster.make_manager(), cluster.make_manager()
    manager.start_clipper(ClusterSpec())
    other.connect()
    other.stop_all(graceful=False)
    assert not cluster.live_processes()
    with pytest.raises(ContainerManagerError, match="stopped meanwhile"):
        manager.get_query_address()


def test_a_cluster_whose_supervisor_was_killed_is_started_again(cluster: LocalCluster) -> None:
    cluster.make_manager().start_clipper(ClusterSpec())
    orphans = [each.pid for each in cluster.processes().values()]
    (supervisord,) = set(cluster.live_processes()) - set(orphans)
    os.kill(supervisord, signal.SIGKILL)
    eventually(lambda: not is_alive(supervisord), "supervisord is gone")
    with pytest.raises(ContainerManagerError, match=r"supervisord that kept them was killed.*start_clipper"):
        cluster.make_manager().connect()
    cluster.make_manager().start_clipper(ClusterSpec())
    assert cluster.is_ready("query-frontend-0")
    assert cluster.processes().keys() == {"redis", "management-frontend", "query-frontend-0"}
    assert not [pid for pid in orphans if is_alive(pid)]


def test_an_interrupted_stop_is_finished_though_its_supervisor_has_ended(cluster: LocalCluster) -> None:
    cluster.make_manager().start_clipper(ClusterSpec())
    orphans = [each.pid for each in cluster.processes().values()]
    (supervisord,) = set(cluster.live_processes()) - set(orphans)
    cluster.state.mark_ending(ending=True)
    os.kill(supervisord, signal.SIGKILL)
    eventually(lambda: not is_alive(supervisord), "supervisord is gone")
    ClipperConnection(cluster.make_manager()).stop_all()
    assert not any(map(is_alive, orphans))
    assert not cluster.state.path.exists()


def test_leftovers_of_a_killed_supervisor_are_removed(cluster: LocalCluster) -> None:
    cluster.make_manager().start_clipper(ClusterSpec())
    children = [each.pid for each in cluster.processes().values()]
    (supervisord,) = set(cluster.live_processes()) - set(children)
    os.kill(supervisord, signal.SIGKILL)
    assert cluster.make_manager().remove_leftovers()
    assert not cluster.live_processes()
    assert not [pid for pid in children if is_alive(pid)]
    assert not cluster.make_manager().remove_leftovers()


@pytest.mark.parametrize("num_steps", [1, 3])
def test_a_start_after_an_interrupted_stop_brings_the_cluster_back(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_steps: int
) -> None:
    manager = cluster.make_manager()
    manager.start_clipper(ClusterSpec())
    manager.deploy(DeploySpec(MODEL, "doubles", build_model(manager, tmp_path / "model", row_sums())))
    before = cluster.processes().keys()
    steps = iter(range(num_steps))
    remove = Supervisor.remove

    def interrupted(supervisor: Supervisor, names: Collection[str]) -> None:
        remove(supervisor, names)
        if next(steps) == num_steps - 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Supervisor, "remove", interrupted)
        manager.stop_all()
    assert len(cluster.processes()) < len(before)
    cluster.make_manager().start_clipper(ClusterSpec())
    assert cluster.processes().keys() == before
    eventually(lambda: cluster.is_ready("model.sums.1.0"), "the replica is ready")
    manager.stop_all()
    assert not cluster.live_processes()


def test_a_state_directory_may_have_a_long_path(tmp_path: Path) -> None:
    with LocalCluster(tmp_path / ("long" * 40)) as cluster:
        manager = cluster.make_manager()
        manager.start_clipper(ClusterSpec())
        assert cluster.is_ready("query-frontend-0")
        manager.stop_all()
        assert not cluster.live_processes()


def test_the_callers_settings_of_other_processes_do_not_reach_the_cluster(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPPER_MAX_INPUTS", "not a number")
    cluster.make_manager().start_clipper(ClusterSpec())
    environment = Path(f"/proc/{cluster.pid('query-frontend-0')}/environ").read_bytes()
    assert b"CLIPPER_MAX_INPUTS" not in environment


def test_a_redis_that_runs_elsewhere_is_used_and_left(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIPPER_REDIS_PASSWORD", "secret")
    with RedisServer(tmp_path / "elsewhere", password="secret") as redis:
        address, port = redis.address.split(":")
        connection = ClipperConnection(cluster.make_manager(redis_ip=address, redis_port=int(port)))
        connection.start_clipper()
        assert "redis" not in cluster.processes()
        connection.register_application("app", "doubles", "none", 1_000_000)
        connection.stop_all()
        assert not cluster.live_processes()
        with redis.client(database=5) as client:
            assert client.exists("app")

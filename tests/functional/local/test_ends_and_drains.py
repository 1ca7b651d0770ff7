"""Replicas of a local cluster that end by themselves, and those that take long to drain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.errors import ContainerManagerError, DeploymentError
from clipper_nomad.managers.local import LocalContainerManager
from clipper_nomad.types import DeploySpec, ModelVersion
from tests.support.local_clusters import LocalCluster, build_model
from tests.support.models import row_sums
from tests.support.processes import eventually

SLOW = ModelVersion("slow", "1")
OTHER = ModelVersion("other", "1")


def loaded_by(code: str) -> Any:
    """Return a model that runs `code` when it is loaded."""

    class Loaded:
        def __reduce__(self) -> Any:
            return eval, (f"exec({code!r}) or str",)

        def __call__(self, _inputs: Any) -> list[str]:
            return []

    return Loaded()


@pytest.mark.parametrize(
    ("code", "end", "cause"),
    [
        ("import ctypes; ctypes.string_at(0)", "exit status 139 (SIGSEGV)", "killed by signal 11 (SIGSEGV)"),
        ("import os, signal; os.kill(os.getpid(), 9)", "exit status 137 (SIGKILL)", "when memory runs out"),
        ("import os; os._exit(5)", "exit status 5", "ended itself with exit status 5"),
    ],
)
def test_how_a_replica_ended_is_known_and_in_the_error_of_its_deployment(
    manager: LocalContainerManager, tmp_path: Path, code: str, end: str, cause: str
) -> None:
    manager.deploy(DeploySpec(SLOW, "doubles", build_model(manager, tmp_path / "model", loaded_by(code))))
    eventually(lambda: SLOW in manager.get_last_ends(), "the replica has ended")
    assert manager.get_last_ends() == {SLOW: end}
    with pytest.raises(DeploymentError) as failed:
        manager.check_replicas(SLOW)
    assert end in failed.value.msg
    assert cause in failed.value.msg


def test_a_replica_that_was_asked_to_end_has_no_last_end(
    cluster: LocalCluster, manager: LocalContainerManager, tmp_path: Path
) -> None:
    manager.deploy(DeploySpec(OTHER, "doubles", build_model(manager, tmp_path / "model", row_sums()), 2))
    eventually(lambda: all(map(cluster.is_ready, ("model.other.1.0", "model.other.1.1"))), "both are ready")
    manager.set_num_replicas(OTHER, 1)
    assert manager.get_last_ends() == {}


@pytest.fixture
def draining(
    cluster: LocalCluster, manager: LocalContainerManager, tmp_path: Path
) -> Iterator[Callable[[Callable[[LocalContainerManager], None]], threading.Thread]]:
    """Begin a call that ends the only replica of SLOW, whose drain lasts until the block ends."""
    release = tmp_path / "release"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(release)!r}).exists(): time.sleep(0.05)"
    model = loaded_by(f"import atexit; atexit.register(exec, {wait!r}, {{}})")
    manager.deploy(DeploySpec(SLOW, "doubles", build_model(manager, tmp_path / "slow", model)))
    eventually(lambda: cluster.is_ready("model.slow.1.0"), "the replica is ready")
    calling: list[threading.Thread] = []

    def begin(call: Callable[[LocalContainerManager], None]) -> threading.Thread:
        another = cluster.make_manager()
        another.connect()
        calling.append(threading.Thread(target=call, args=(another,)))
        calling[0].start()
        eventually(lambda: "stopped" in manager.tail_logs(SLOW), "the replica drains")
        return calling[0]

    yield begin
    release.touch()
    for thread in calling:
        thread.join()


@pytest.mark.parametrize(
    "end",
    [lambda manager: manager.stop_models([SLOW]), lambda manager: manager.set_num_replicas(SLOW, 0)],
    ids=["stopped", "scaled to 0"],
)
def test_other_calls_do_not_wait_for_a_drain(
    manager: LocalContainerManager,
    tmp_path: Path,
    draining: Callable[[Callable[[LocalContainerManager], None]], threading.Thread],
    end: Callable[[LocalContainerManager], None],
) -> None:
    call = draining(end)
    manager.deploy(DeploySpec(OTHER, "doubles", build_model(manager, tmp_path / "other", row_sums())))
    manager.set_num_replicas(OTHER, 0)
    assert call.is_alive()


def test_a_version_is_deployed_until_its_replicas_have_ended(
    manager: LocalContainerManager,
    tmp_path: Path,
    draining: Callable[[Callable[[LocalContainerManager], None]], threading.Thread],
) -> None:
    call = draining(lambda another: another.stop_models([SLOW]))
    image = build_model(manager, tmp_path / "other", row_sums())
    with pytest.raises(ContainerManagerError, match="slow:1 is deployed already"):
        manager.deploy(DeploySpec(SLOW, "doubles", image))
    (tmp_path / "release").touch()
    call.join()
    manager.deploy(DeploySpec(SLOW, "doubles", image))
    assert manager.get_replicas() == {SLOW: 1}


def test_replicas_that_are_wanted_again_during_a_drain_are_there_after_it(
    cluster: LocalCluster,
    manager: LocalContainerManager,
    tmp_path: Path,
    draining: Callable[[Callable[[LocalContainerManager], None]], threading.Thread],
) -> None:
    call = draining(lambda another: another.set_num_replicas(SLOW, 0))
    manager.set_num_replicas(SLOW, 1)
    (tmp_path / "release").touch()
    call.join()
    assert manager.get_replicas() == {SLOW: 1}
    eventually(lambda: cluster.is_ready("model.slow.1.0"), "the replica is ready")

"""The end of the real model runtime: drained by a signal, at once by a second, or out of time."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from clipper_container import wire
from clipper_container.kinds.closure import save_closure
from tests.support.frontends.rpc_frontend import RpcFrontend
from tests.support.models import sleeping_sums
from tests.support.processes import Container

Start = Callable[..., Container]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("slow")
    save_closure(sleeping_sums(per_batch_s=0.6), directory)
    return directory


@pytest.fixture
def start(slow: Path) -> Iterator[Start]:
    """Start a container of the slow model: start(address, **more environment)."""
    with ExitStack() as stack:

        def begin(address: str, **more: str) -> Container:
            environment = {
                "CLIPPER_MODEL_NAME": "slow",
                "CLIPPER_MODEL_VERSION": "1",
                "CLIPPER_INPUT_TYPE": "doubles",
                "CLIPPER_MODEL_PATH": str(slow),
                "CLIPPER_RPC_ADDRESS": address,
                **more,
            }
            return stack.enter_context(Container(environment))

        yield begin


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_batch_in_the_model_is_answered_after_the_goodbye(start: Start, signum: signal.Signals) -> None:
    with RpcFrontend("a") as frontend:
        container = start(frontend.address)
        replica = frontend.accept()
        frontend.request(replica.identity, [[1.0]])
        container.signal(signum)
        frontend.expect(wire.Goodbye)
        assert frontend.expect(wire.Answer)[1].outputs == [b"1.0"]
        # Its heartbeat has been answered by now, so that the runtime does not wait.
        assert container.wait(timeout_s=5.0) == 0


def test_a_batch_that_was_under_way_at_the_goodbye_is_answered(start: Start) -> None:
    with RpcFrontend("a", answers_heartbeats=False) as frontend:
        container = start(frontend.address)
        replica = frontend.accept()
        container.signal(signal.SIGTERM)
        frontend.expect(wire.Goodbye)
        frontend.request(replica.identity, [[2.0]])
        frontend.heartbeat(replica.identity)
        assert frontend.expect(wire.Answer)[1].outputs == [b"2.0"]
        assert container.wait() == 0
        assert "stopped" in container.log


def test_goodbye_is_said_to_every_frontend(start: Start) -> None:
    with RpcFrontend("a") as first, RpcFrontend("b") as second:
        container = start(f"{first.address},{second.address}")
        first.accept()
        second.accept()
        container.wait_for_line("query frontend b .* accepted this replica")
        container.signal(signal.SIGTERM)
        for frontend in (first, second):
            frontend.expect(wire.Goodbye)
            frontend.expect(wire.ContainerHeartbeat)
        assert container.wait() == 0


def test_without_a_frontend_it_stops_at_once(start: Start) -> None:
    container = start("127.0.0.1:1")
    container.wait_for_line("trying again")
    assert container.stop(timeout_s=5.0) == 0


def test_a_second_signal_stops_at_once(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        container = start(frontend.address)
        replica = frontend.accept()
        for message_id in range(100):
            frontend.request(replica.identity, [[1.0]], message_id=message_id)
        container.signal(signal.SIGTERM)
        frontend.expect(wire.Goodbye)
        container.signal(signal.SIGTERM)
        assert container.wait(timeout_s=5.0) == 128 + signal.SIGTERM


def test_a_batch_that_outlasts_the_drain_timeout_is_left(start: Start) -> None:
    with RpcFrontend("a") as frontend:
        container = start(frontend.address, CLIPPER_DRAIN_TIMEOUT_S="0.2")
        replica = frontend.accept()
        frontend.request(replica.identity, [[1.0]])
        container.signal(signal.SIGTERM)
        frontend.expect(wire.Goodbye)
        assert container.wait(timeout_s=5.0) == 0
        assert "drain timeout has passed" in container.log


def test_batches_that_the_drain_timeout_leaves_no_time_for_are_counted(tmp_path: Path, start: Start) -> None:
    save_closure(sleeping_sums(per_batch_s=0.02), tmp_path)
    with RpcFrontend("a") as frontend:
        container = start(frontend.address, CLIPPER_DRAIN_TIMEOUT_S="0.2", CLIPPER_MODEL_PATH=str(tmp_path))
        replica = frontend.accept()
        for message_id in range(200):
            frontend.request(replica.identity, [[1.0]], message_id=message_id)
        frontend.expect(wire.Answer)
        assert container.stop(timeout_s=5.0) == 0
        container.wait_for_line(r"[1-9]\d+ batches unanswered")


def test_a_signal_while_the_model_loads_stops_at_once(tmp_path: Path, start: Start) -> None:
    slow_import = b"import time\nprint('loading', flush=True)\ntime.sleep(60)\n"
    save_closure(imported_by_name(), tmp_path, {"slow_import.py": slow_import})
    container = start("127.0.0.1:1", CLIPPER_MODEL_PATH=str(tmp_path))
    container.wait_for_line("loading")
    assert container.stop(timeout_s=5.0) == 0


class _ImportsOnLoad:
    """Imports the module `slow_import` when it is unpickled."""

    def __call__(self, inputs: object) -> object:
        return inputs

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return __import__, ("slow_import",)


def imported_by_name() -> Callable[[object], object]:
    return _ImportsOnLoad()

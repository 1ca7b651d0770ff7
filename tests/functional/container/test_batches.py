"""The real model runtime's answers to batches, its health and its metrics."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from clipper_container import wire
from clipper_container.kinds.closure import save_closure
from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_OK, STATUS_TOO_LATE
from tests.support.frontends.rpc_frontend import Replica, RpcFrontend
from tests.support.processes import Container, eventually

Start = Callable[..., Container]


def told_by_its_input() -> Callable[[Any], list[Any]]:
    """Return a model that fails on inputs below 0, and sleeps for inputs of 1000 and more, as many ms."""

    def predict(inputs: Any) -> list[Any]:
        import time

        from clipper_container import metrics

        metrics.add_metric("calls", "Counter", "calls of the function")
        metrics.report_metric("calls", 1)
        if any(row[0] < 0 for row in inputs):
            raise ValueError("negative")
        for row in inputs:
            if row[0] >= 1000:
                time.sleep(row[0] / 1000)
        return [row.sum() for row in inputs]

    return predict


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    save_closure(told_by_its_input(), directory)
    return directory


@pytest.fixture
def frontend() -> Iterator[RpcFrontend]:
    with RpcFrontend("a") as opened:
        yield opened


@pytest.fixture
def start(model: Path, frontend: RpcFrontend) -> Iterator[Start]:
    """Start a container of the model: start(**more environment)."""
    with ExitStack() as stack:

        def begin(**more: str) -> Container:
            environment = {
                "CLIPPER_MODEL_NAME": "told",
                "CLIPPER_MODEL_VERSION": "1",
                "CLIPPER_INPUT_TYPE": "doubles",
                "CLIPPER_MODEL_PATH": str(model),
                "CLIPPER_RPC_ADDRESS": frontend.address,
                **more,
            }
            return stack.enter_context(Container(environment))

        yield begin


@pytest.fixture
def replica(start: Start, frontend: RpcFrontend) -> Replica:
    start()
    return frontend.accept()


def admin_address(container: Container) -> str:
    return container.wait_for_line(r"listening: admin=(\S+)")[1]


def get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


def test_batches_are_answered_in_order(frontend: RpcFrontend, replica: Replica) -> None:
    for message_id in (5, 6, 7):
        frontend.request(replica.identity, [[message_id, 1.0], [2.0, 0.5]], message_id=message_id)
    for message_id in (5, 6, 7):
        answer = frontend.expect(wire.Answer)[1]
        assert answer[:3] == (message_id, [f"{message_id + 1.0}".encode(), b"2.5"], b"\0\0")


def test_inputs_of_different_lengths_and_empty_batches_are_answered(
    frontend: RpcFrontend, replica: Replica
) -> None:
    assert frontend.predict(replica.identity, [[1.0], [2.0, 3.0]]).outputs == [b"1.0", b"5.0"]
    assert frontend.predict(replica.identity, []).outputs == []


def test_an_input_on_which_the_model_raises_fails_alone(frontend: RpcFrontend, replica: Replica) -> None:
    answer = frontend.predict(replica.identity, [[1.0], [-1.0], [2.0]])
    assert answer.outputs == [b"1.0", b"ValueError: negative", b"2.0"]
    assert answer.statuses == bytes([STATUS_OK, STATUS_MODEL_ERROR, STATUS_OK])


def test_a_batch_of_another_input_type_is_an_error(frontend: RpcFrontend, replica: Replica) -> None:
    frontend.send(replica.identity, wire.encode_v4_request(1, 1, [b"1234"], 10**6))
    answer = frontend.expect(wire.Answer)[1]
    assert answer.statuses == bytes([STATUS_MODEL_ERROR])
    assert b"inputs of type 1, the model takes 3" in answer.outputs[0]


def test_a_batch_that_waited_too_long_is_not_run(frontend: RpcFrontend, replica: Replica) -> None:
    frontend.request(replica.identity, [[1000.0]], message_id=1)
    frontend.request(replica.identity, [[1.0], [2.0]], message_id=2, left_s=0.3)
    frontend.request(replica.identity, [[3.0]], message_id=3)
    assert frontend.expect(wire.Answer)[1].message_id == 1
    assert frontend.expect(wire.Answer)[1][:3] == (2, [b"", b""], bytes([STATUS_TOO_LATE] * 2))
    assert frontend.expect(wire.Answer)[1].outputs == [b"3.0"]


def test_while_the_model_hangs_heartbeats_go_on_and_liveness_fails(
    frontend: RpcFrontend, start: Start
) -> None:
    container = start(CLIPPER_HANG_TIMEOUT_S="0.3")
    replica = frontend.accept()
    assert get(admin_address(container), "/health/live") == (200, "ok")
    frontend.request(replica.identity, [[60_000.0]])
    address = admin_address(container)
    eventually(lambda: get(address, "/health/live")[0] == 503, "its liveness fails")
    frontend.expect(wire.ContainerHeartbeat)
    status, reason = get(address, "/health/live")
    assert status == 503
    assert re.fullmatch(r"the model has been running one batch for \d\.\d s", reason)


def test_a_hung_model_ends_the_process_where_that_is_wanted(frontend: RpcFrontend, start: Start) -> None:
    container = start(CLIPPER_HANG_TIMEOUT_S="0.2", CLIPPER_EXIT_WHEN_HUNG="1")
    frontend.request(frontend.accept().identity, [[60_000.0]])
    assert container.wait() == 70
    assert "exiting, so that the replica is restarted" in container.log


def test_another_frontend_is_accepted_while_the_model_is_busy(frontend: RpcFrontend, start: Start) -> None:
    with RpcFrontend("b") as other:
        start()
        replica = frontend.accept()
        frontend.request(replica.identity, [[60_000.0]])
        frontend.peers = {**frontend.peers, **other.peers}
        frontend.heartbeat(replica.identity)
        other.accept()


def test_readiness_follows_acceptance(frontend: RpcFrontend, start: Start) -> None:
    container = start()
    identity, _ = frontend.expect(wire.Hello)
    address = admin_address(container)
    status, reason = get(address, "/health/ready")
    assert (status, reason) == (503, "no query frontend has accepted this replica")
    frontend.accept_hello(identity)
    container.wait_for_line("accepted this replica")
    assert get(address, "/health/ready") == (200, "ok")
    frontend.close()
    container.wait_for_line("lost query frontend a")
    assert get(address, "/health/ready")[0] == 503


def test_metrics_of_the_runtime_and_of_the_model(frontend: RpcFrontend, start: Start) -> None:
    container = start()
    replica = frontend.accept()
    frontend.predict(replica.identity, [[1.0], [2.0], [-1.0]])
    frontend.predict(replica.identity, [[1.0]])  # by then the first batch has been counted
    status, text = get(admin_address(container), "/metrics")
    assert status == 200
    labels = '{model="told",version="1"}'
    assert f"clipper_model_errors_total{labels} 1.0" in text
    inputs = re.search(rf"clipper_model_inputs_total{re.escape(labels)} (\S+)", text)
    assert inputs is not None
    assert float(inputs[1]) in (3.0, 4.0)
    assert 'clipper_model_batch_inputs_bucket{le="4.0",model="told",version="1"}' in text
    assert f"clipper_model_batch_seconds_count{labels}" in text
    assert "\ncalls_total 5.0\n" in text, (
        "one for the batch, one for each input again, one for the second batch"
    )


def test_an_unknown_admin_path_is_404(start: Start) -> None:
    assert get(admin_address(start()), "/elsewhere")[0] == 404


def test_a_slow_admin_client_does_not_hold_up_others(start: Start) -> None:
    address = admin_address(start())
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))):
        assert get(address, "/health/live")[0] == 200


def test_many_batches_at_once_are_all_answered(frontend: RpcFrontend, replica: Replica) -> None:
    count = 500
    for message_id in range(count):
        frontend.request(replica.identity, [[float(message_id % 900)]] * 4, message_id=message_id)
    got = [frontend.expect(wire.Answer)[1] for _ in range(count)]
    assert [answer.message_id for answer in got] == list(range(count))
    assert all(set(answer.outputs) == {f"{float(i % 900)}".encode()} for i, answer in enumerate(got))

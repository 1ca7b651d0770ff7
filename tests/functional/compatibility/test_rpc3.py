"""A container and a client written to the letter of Clipper's interfaces, against this project."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import zmq

from tests.letter.letter_client import LetterClient
from tests.letter.new_containers import NEW_CONTAINERS
from tests.support.frontends.cluster import Cluster
from tests.support.processes import QueryFrontend, eventually

#: Answers with what arrived: container type, element type and values, so that each test sees all of it.
ECHO = """
import json

def describe(value):
    return value if isinstance(value, str) else [str(value.dtype), value.tolist()]

def predict(inputs):
    return [json.dumps({"got": type(inputs).__name__, "value": describe(value)}) for value in inputs]
"""

SUM = """
def predict(inputs):
    return [str(float(row.sum())) for row in inputs]
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        yield running


def client_of(frontend: QueryFrontend) -> LetterClient:
    host, _, port = frontend.rest.rpartition(":")
    return LetterClient(host, int(port))


@pytest.fixture
def client(cluster: Cluster) -> Iterator[LetterClient]:
    connected = client_of(cluster.frontend)
    yield connected
    connected.close()


def serve_letter(cluster: Cluster, code: str, input_type: str = "doubles", probe: Any = (1.0,)) -> None:
    cluster.add_app("app", input_type)
    cluster.start_letter_container(code, "model", input_type=input_type)
    cluster.add_model("model", input_type=input_type)
    cluster.link("app", "model")
    cluster.wait_until_served(cluster.frontend, "app", probe)


@pytest.mark.parametrize(
    ("input_type", "value", "got", "arrived"),
    [
        ("integers", [1, -2, 2147483647], "ndarray", ["int32", [1, -2, 2147483647]]),
        ("floats", [0.5, -1], "ndarray", ["float32", [0.5, -1.0]]),
        ("doubles", [0.1, 2, -1e300], "ndarray", ["float64", [0.1, 2.0, -1e300]]),
        ("strings", "héllo \U0001f600", "list", "héllo \U0001f600"),
        (
            "bytes",
            base64.b64encode(bytes(range(256))).decode(),
            "ndarray",
            ["int8", [*range(128), *range(-128, 0)]],
        ),
    ],
)
def test_every_input_type_arrives(
    cluster: Cluster, client: LetterClient, input_type: str, value: Any, got: str, arrived: Any
) -> None:
    serve_letter(cluster, ECHO, input_type, value)
    answer = client.predict("app", value)
    assert answer["default"] is False
    assert answer["output"] == {"got": got, "value": arrived}
    assert isinstance(answer["query_id"], int)


def test_batches_are_answered_in_input_order(cluster: Cluster, client: LetterClient) -> None:
    serve_letter(cluster, SUM)
    assert client.predict_batch("app", []) == {"batch_predictions": []}
    assert client.predict_batch("app", [[1.0, 2.0]])["output"] == 3.0
    inputs = [[float(number)] * (number % 3 + 1) for number in range(100)]
    answers = client.predict_batch("app", inputs)["batch_predictions"]
    assert [answer["output"] for answer in answers] == [sum(row) for row in inputs]
    assert not any(answer["default"] for answer in answers)


def test_feedback_is_received(cluster: Cluster, client: LetterClient) -> None:
    serve_letter(cluster, SUM)
    assert client.update("app", 7, [1.0, 2.0], 3.0) == "Feedback received? 1"


def test_defaults_carry_clippers_explanations(cluster: Cluster, client: LetterClient) -> None:
    cluster.add_app("app")
    eventually(lambda: _is_known(client), "the application is known")
    assert client.predict("app", [1.0]) | {"query_id": 0} == {
        "query_id": 0,
        "output": -1.0,
        "default": True,
        "default_explanation": "No connected models found for query",
        "default_reason": "no_model",
    }


def _is_known(client: LetterClient) -> bool:
    try:
        return bool(client.predict("app", [1.0]))
    except ValueError:
        return False


def test_a_container_comes_back_to_a_frontend_that_was_restarted(cluster: Cluster) -> None:
    serve_letter(cluster, SUM)
    port = cluster.frontend.rpc.rpartition(":")[2]
    cluster.frontends.pop().kill()
    restarted = cluster.start_frontend("--rpc-port", port)
    # The container hears nothing for 5 s, then sends the heartbeat that makes the frontend ask who it is.
    cluster.wait_until_served(restarted, "app")
    client = client_of(restarted)
    assert client.predict("app", [1.0, 2.0])["output"] == 3.0
    client.close()


def test_each_heartbeat_is_answered(cluster: Cluster) -> None:
    heartbeat = [b"", u32(2)]
    with zmq.Context() as context, context.socket(zmq.DEALER) as container:
        container.rcvtimeo, container.linger = 10_000, 0
        container.connect(f"tcp://{cluster.frontend.rpc}")
        container.send_multipart(heartbeat)
        assert container.recv_multipart() == [b"", u32(3), u32(2), u32(1)]
        container.send_multipart([b"", u32(0), b"model", b"1", b"3", u32(3)])
        container.send_multipart(heartbeat)
        assert container.recv_multipart() == [b"", u32(3), u32(2), u32(0)]


@pytest.mark.parametrize("name", NEW_CONTAINERS)
def test_containers_of_other_languages_serve(cluster: Cluster, client: LetterClient, name: str) -> None:
    first = NEW_CONTAINERS[name]
    cluster.add_app("app", slo_s=10.0)
    cluster.add_model("j", first[3].decode())
    cluster.link("app", "j")
    with zmq.Context() as context, context.socket(zmq.DEALER) as container, ThreadPoolExecutor() as pool:
        container.rcvtimeo, container.linger = 10_000, 0
        container.connect(f"tcp://{cluster.frontend.rpc}")
        container.send_multipart(first)
        assert container.recv_multipart() == [b"", u32(3), u32(2), u32(0)]
        cluster.wait_until_known(cluster.frontend, "app")
        answered = pool.submit(_ask_until_served, client)
        message_id = _receive_request(container)[3]
        container.send_multipart([b"", u32(1), message_id, u64(16), u64(1) + u64(3), b"7.5"])
        assert answered.result() == 7.5


def _ask_until_served(client: LetterClient) -> Any:
    """Return the first output that is no default: a version serves a moment after its replica is ready."""
    while (answer := client.predict("app", [1.0]))["default"]:
        pass
    return answer["output"]


def _receive_request(container: zmq.Socket[bytes]) -> list[bytes]:
    """Return the next message that is no heartbeat."""
    while (frames := container.recv_multipart())[2] != u32(1):
        pass
    return frames


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)

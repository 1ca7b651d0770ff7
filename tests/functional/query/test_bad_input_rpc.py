"""Bad input over RPC: the frontend survives it and serves the next good query."""

from __future__ import annotations

import itertools
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_container import wire
from tests.support.frontends.cluster import CLUSTER_NAME, Cluster, predict
from tests.support.models import row_sums

MILLION = 1_000_000
SLO_S = 0.3
DOUBLES = 3

Rogue = zmq.Socket[bytes]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        running.serve(row_sums(), app="good", model="good")
        yield running


@pytest.fixture(scope="module")
def context() -> Iterator[zmq.Context[Rogue]]:
    with zmq.Context() as opened:
        yield opened


@pytest.fixture
def rogue(cluster: Cluster, context: zmq.Context[Rogue]) -> Iterator[Rogue]:
    """Connect a rogue container; afterwards a good query must be served."""
    with connect(cluster, context) as socket:
        yield socket
    expect_good_query(cluster)


def connect(cluster: Cluster, context: zmq.Context[Rogue]) -> Rogue:
    socket = context.socket(zmq.DEALER)
    socket.linger = 1000
    socket.rcvtimeo = 5_000
    socket.connect(f"tcp://{cluster.frontend.rpc}")
    return socket


def expect_good_query(cluster: Cluster) -> None:
    answer = predict(cluster.frontend.rest, "good", input=[1.0, 2.5])
    assert (answer["output"], answer["default"]) == (3.5, False)


def expect_still_heard(socket: Rogue) -> None:
    """Check that everything sent before was read: a stranger's heartbeat gets a request for metadata."""
    socket.send_multipart([b"", struct.pack("<I", 2)])
    while socket.recv_multipart() != wire.encode_v3_heartbeat(wire.SEND_METADATA):
        pass


def u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


STRANGE = {
    "an empty message": [b""],
    "a number cut short": [b"", b"\x01"],
    "an unknown type": [b"", u32(99)],
    "an unknown type of version 4": [u32(99)],
    "metadata without fields": [b"", u32(0)],
    "metadata of RPC version 9": [b"", u32(0), b"m", b"1", b"3", u32(9)],
    "metadata of an unknown input type": [b"", u32(0), b"m", b"1", b"77", u32(3)],
    "metadata with a type in words": [b"", u32(0), b"m", b"1", b"doubles", u32(3)],
    "metadata that is not UTF-8": [b"", u32(0), b"\xff", b"1", b"3", u32(3)],
    "metadata without a model": [b"", u32(0), b"", b"", b"3", u32(3)],
    "metadata with forbidden names": [b"", u32(0), b"a:b", b"1,2", b"3", u32(3)],
    "an answer to nothing": [b"", u32(1), u32(7), struct.pack("<Q", 16), struct.pack("<QQ", 1, 1), b"x"],
    "an answer of a million": [b"", u32(1), u32(7), struct.pack("<Q", 8), struct.pack("<Q", MILLION)],
    "an answer of version 4 to nothing": [u32(1, 7, 1, 1) + b"\0", b"x"],
    "an answer of version 4 of a million": [u32(1, 7, MILLION), b""],
    "an answer of version 4 of too many to count": [u32(1, 7, 2**32 - 1), b""],
    "a goodbye of a stranger": [u32(3)],
    "more than an introduction": [b"\x01" * 10_000],
    "ten thousand frames": [b""] * 10_000,
}


@pytest.mark.parametrize("frames", STRANGE.values(), ids=STRANGE.keys())
def test_strange_messages(rogue: Rogue, frames: list[bytes]) -> None:
    rogue.send_multipart(frames)
    expect_still_heard(rogue)


def test_a_flood_of_a_stranger_keeps_no_query_from_its_answer(
    cluster: Cluster, context: zmq.Context[Rogue]
) -> None:
    with connect(cluster, context) as socket, ThreadPoolExecutor(1) as pool:
        stop = threading.Event()

        def flood() -> int:
            sent = 0
            while not stop.is_set():
                socket.send_multipart(wire.encode_container_heartbeat())
                sent += 1
            return sent

        flooding = pool.submit(flood)
        try:
            answers = [
                predict(cluster.frontend.rest, "good", input=[float(number), 1.0]) for number in range(300)
            ]
        finally:
            stop.set()
        sent = flooding.result()
        socket.linger = 0
    assert sent > 1000
    assert [answer["output"] for answer in answers if not answer["default"]] == [
        number + 1.0 for number in range(300)
    ]


_FRAME = st.one_of(
    st.binary(max_size=40),
    st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=6).map(lambda values: u32(*values)),
)


@given(messages=st.lists(st.lists(_FRAME, min_size=1, max_size=8), min_size=1, max_size=10))
@settings(max_examples=100, deadline=None)
def test_random_frames(cluster: Cluster, context: zmq.Context[Rogue], messages: list[list[bytes]]) -> None:
    with connect(cluster, context) as socket, connect(cluster, context) as witness:
        for frames in messages:
            socket.send_multipart(frames)
        expect_still_heard(witness)
    expect_good_query(cluster)


# -- a replica that was accepted -----------------------------------------------------------------------------

distinct = itertools.count()

Answering = Callable[[wire.Request], list[bytes]]


def v3_answer(message_id: int, count: int, outputs: list[bytes]) -> list[bytes]:
    header = struct.pack(f"<{1 + len(outputs)}Q", count, *map(len, outputs))
    return [b"", u32(1), u32(message_id), struct.pack("<Q", len(header)), header, *outputs]


WRONG_ANSWERS: dict[str, tuple[int, Answering]] = {
    "v3, no output": (3, lambda asked: v3_answer(asked.message_id, 0, [])),
    "v3, two outputs for one input": (3, lambda asked: v3_answer(asked.message_id, 2, [b"1", b"2"])),
    "v3, a million announced": (3, lambda asked: v3_answer(asked.message_id, MILLION, [b"1"])),
    "v3, another message id": (3, lambda asked: v3_answer(asked.message_id + 1, 1, [b"1"])),
    "v3, no header": (3, lambda asked: [b"", u32(1), u32(asked.message_id)]),
    "v4, no output": (4, lambda asked: [u32(1, asked.message_id, 0), b""]),
    "v4, two outputs for one input": (4, lambda asked: [u32(1, asked.message_id, 2, 1, 1) + b"\0\0", b"12"]),
    "v4, a million announced": (4, lambda asked: [u32(1, asked.message_id, MILLION), b"1"]),
    "v4, sizes beyond the data": (4, lambda asked: [u32(1, asked.message_id, 1, 9) + b"\0", b"1"]),
    "v4, an unknown status": (4, lambda asked: [u32(1, asked.message_id, 1, 1) + b"\x09", b"1"]),
    "v4, no data frame": (4, lambda asked: [u32(1, asked.message_id, 1, 1) + b"\0"]),
    "v4, another message id": (4, lambda asked: [u32(1, asked.message_id + 1, 1, 1) + b"\0", b"1"]),
}


@pytest.fixture(scope="module")
def rogue_app(cluster: Cluster) -> str:
    cluster.add_app("rogue", slo_s=SLO_S)
    cluster.add_model("rogue")
    cluster.link("rogue", "rogue")
    cluster.wait_until_known(cluster.frontend, "rogue")
    return "rogue"


def join(socket: Rogue, version: int) -> None:
    """Become the replica of the rogue application's model."""
    cluster, instance = (CLUSTER_NAME, "rogue") if version == wire.V4 else ("", "")
    opening = wire.encode_hello() if version == wire.V4 else [b"", u32(2)]
    socket.send_multipart(opening)
    wire.decode_from_frontend(socket.recv_multipart())
    socket.send_multipart(
        wire.encode_metadata(wire.Metadata("rogue", "1", DOUBLES, version, cluster, instance))
    )
    accepted = wire.decode_from_frontend(socket.recv_multipart())
    assert isinstance(accepted, wire.FrontendHeartbeat)
    assert accepted.heartbeat_type == wire.KEEPALIVE


def receive_request(socket: Rogue) -> wire.Request:
    while True:
        message = wire.decode_from_frontend(socket.recv_multipart())
        if isinstance(message, wire.Request):
            return message


@pytest.mark.parametrize(("version", "answering"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS.keys())
def test_a_replica_that_answers_wrongly_costs_a_default_in_time(
    cluster: Cluster, rogue_app: str, rogue: Rogue, version: int, answering: Answering
) -> None:
    join(rogue, version)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(predict, cluster.frontend.rest, rogue_app, input=[next(distinct)])
        rogue.send_multipart(answering(receive_request(rogue)))
        answer = asked.result()
    assert answer["default"] is True
    assert answer["default_reason"] in {"model_error", "timeout"}


def test_a_query_asked_again_does_not_wait_for_a_replica_that_never_answers(
    cluster: Cluster, rogue_app: str, context: zmq.Context[Rogue]
) -> None:
    """A query joins the same one in flight only while a client still waits for that."""
    value = [next(distinct)]
    with connect(cluster, context) as one, connect(cluster, context) as other, ThreadPoolExecutor(1) as pool:
        join(one, wire.V3)
        join(other, wire.V3)
        asked = pool.submit(predict, cluster.frontend.rest, rogue_app, input=value)
        silent = first_readable(one, other)
        assert asked.result()["default_reason"] == "timeout"
        asked = pool.submit(predict, cluster.frontend.rest, rogue_app, input=value)
        answering = other if silent is one else one
        request = receive_request(answering)
        answering.send_multipart(v3_answer(request.message_id, 1, [b"7"]))
        assert asked.result()["output"] == 7


def first_readable(*sockets: Rogue) -> Rogue:
    poller = zmq.Poller()
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    return next(socket for socket, _ in poller.poll(10_000))

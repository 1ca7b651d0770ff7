"""Peers without a session at the RPC port: what all of them together can hold of a query frontend."""

from __future__ import annotations

import contextlib
import pathlib
import re
import resource
import socket
import time
from collections.abc import Iterator

import pytest
import zmq

from clipper_container import wire
from clipper_frontend.query.rpc.lobby import MAX_CONNECTIONS, Lobby
from tests.support.frontends.cluster import CLUSTER_NAME, Cluster, predict, request
from tests.support.models import row_sums
from tests.support.processes import eventually
from tests.support.raw_peers import Floods, connect_raw, frame

MIB = 1024 * 1024
DOUBLES = 3
#: The signature, version 2.0, the type of a DEALER, and an empty identity.
ZMTP_2_GREETING = b"\xff" + bytes(7) + b"\x01\x7f" + b"\x01\x05" + b"\x00\x00"
#: MAX_BYTES_AT_ONCE of each, and what a machine's loopback brings within some turns of the event loop.
MAX_GROWTH_BYTES = 256 * MIB


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        running.serve(row_sums(), app="good", model="good", slo_s=5.0)
        yield running


def count_ended(cluster: Cluster) -> int:
    _, metrics = request(cluster.frontend.rest, "GET", "/metrics")
    (count,) = re.findall(rb"^clipper_ended_connections_total (.+)", metrics, re.MULTILINE)
    return int(float(count))


def expect_good_query(cluster: Cluster, value: float) -> None:
    answer = predict(cluster.frontend.rest, "good", input=[value, 2.5])
    assert (answer["output"], answer["default"]) == (value + 2.5, False)


def test_twenty_strangers_that_flood_hold_bounded_memory_and_keep_no_query_from_its_answer(
    cluster: Cluster,
) -> None:
    before, peak = cluster.frontend.rss_bytes, 0
    with Floods(cluster.frontend.rpc, 20) as floods:
        ends_at = time.monotonic() + 3.0
        while time.monotonic() < ends_at:
            expect_good_query(cluster, time.monotonic())
            peak = max(peak, cluster.frontend.rss_bytes)
    assert floods.connections > 40, "they are cut off"
    assert count_ended(cluster) > 40
    assert peak - before < MAX_GROWTH_BYTES


def test_a_connection_that_sent_too_much_is_ended_and_its_peer_may_come_again(cluster: Cluster) -> None:
    with connect_raw(cluster.frontend.rpc) as stranger:
        expect_end_by_flood(stranger)
    with zmq.Context() as context, joined(context, cluster, "later"):
        pass


def test_a_replica_may_send_what_a_stranger_may_not(cluster: Cluster) -> None:
    with zmq.Context() as context, joined(context, cluster, "large") as replica:
        for _ in range(10):
            replica.send_multipart([b"", b"x" * MIB])
        replica.send_multipart(wire.encode_container_heartbeat())
        kept = wire.decode_from_frontend(replica.recv_multipart())
        assert isinstance(kept, wire.FrontendHeartbeat)
        assert kept.heartbeat_type == wire.KEEPALIVE


def test_a_peer_that_lost_its_session_is_a_stranger_again(cluster: Cluster) -> None:
    with connect_raw(cluster.frontend.rpc) as first, zmq.Context() as context:
        hello = wire.Metadata("twice", "1", DOUBLES, wire.V4, CLUSTER_NAME, "twice")
        *rest, last = wire.encode_metadata(hello)
        first.sendall(b"".join(frame(part, more=True) for part in rest) + frame(last, more=False))
        cluster.frontend.wait_for_line("replica twice of twice:1 connected")
        with joined(context, cluster, "twice"):
            cluster.frontend.wait_for_line("replica twice of twice:1 left")
            expect_end_by_flood(first)


def test_a_peer_of_an_old_protocol_is_not_heard_and_keeps_nobody_else_from_being_heard(
    cluster: Cluster,
) -> None:
    host, _, port = cluster.frontend.rpc.rpartition(":")
    with socket.create_connection((host, int(port))) as old, zmq.Context() as context:
        old.sendall(ZMTP_2_GREETING)
        for _ in range(100):
            old.sendall(b"\x00\x05hello")
        with joined(context, cluster, "new"):
            expect_good_query(cluster, 2.0)
    assert "Traceback" not in cluster.frontend.log


def test_of_too_many_strangers_the_first_are_ended_and_replicas_stay(cluster: Cluster) -> None:
    before = count_ended(cluster)
    with contextlib.ExitStack() as stack:
        strangers = [
            stack.enter_context(connect_raw(cluster.frontend.rpc)) for _ in range(MAX_CONNECTIONS + 10)
        ]
        eventually(lambda: count_ended(cluster) >= before + 10, "ten connections are ended", 5.0)
        expect_good_query(cluster, 1.0)
        strangers[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            while strangers[-1].recv(1000):
                pass


@contextlib.contextmanager
def joined(
    context: zmq.Context[zmq.Socket[bytes]], cluster: Cluster, name: str
) -> Iterator[zmq.Socket[bytes]]:
    """Connect a peer that has a session as the replica of a model and instance of this name."""
    with context.socket(zmq.DEALER) as replica:
        replica.linger = 0
        replica.rcvtimeo = 5_000
        replica.connect(f"tcp://{cluster.frontend.rpc}")
        replica.send_multipart(
            wire.encode_metadata(wire.Metadata(name, "1", DOUBLES, wire.V4, CLUSTER_NAME, name))
        )
        accepted = wire.decode_from_frontend(replica.recv_multipart())
        assert isinstance(accepted, wire.FrontendHeartbeat)
        assert accepted.heartbeat_type == wire.KEEPALIVE
        yield replica


def expect_end_by_flood(connection: socket.socket) -> None:
    """Check that a connection is ended while a message over it is too long."""
    connection.settimeout(5.0)
    with pytest.raises(ConnectionError):
        for _ in range(1000):
            connection.sendall(frame(bytes(MIB), more=True))


def test_a_frontend_may_open_more_files_than_strangers_can_use_up(
    cluster: Cluster,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        frontend = cluster.start_frontend()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(frontend.pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_number_that_has_become_another_connections_is_ignored() -> None:
    lobby = Lobby(port=1)
    with socket.create_server(("127.0.0.1", 0)) as other, pathlib.Path(__file__).open() as file:
        number = other.fileno()
        lobby.came(number, 0.0)
        lobby.came(file.fileno(), 0.0)
        assert len(lobby) == 0
    lobby.came(number, 0.0)
    assert len(lobby) == 0

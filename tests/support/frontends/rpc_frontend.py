"""The frontend's side of RPC version 4, for tests of the model runtime: a ROUTER that the test controls.

By itself it only answers heartbeats. Every wait has a limit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Self, TypeVar

import numpy as np
import zmq

from clipper_container import wire

TIMEOUT_S = 10.0
DOUBLES = 3

Message = TypeVar("Message", wire.Hello, wire.Metadata, wire.ContainerHeartbeat, wire.Answer, wire.Goodbye)


class Replica(NamedTuple):
    """An accepted container."""

    identity: bytes
    metadata: wire.Metadata


class RpcFrontend:
    """A frontend's RPC port on 127.0.0.1."""

    def __init__(self, frontend_id: str, *, port: int = 0, answers_heartbeats: bool = True) -> None:
        self.id = frontend_id
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(f"tcp://127.0.0.1:{port}")
        endpoint = self._socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes)
        self.address = endpoint.decode().rstrip("\0").removeprefix("tcp://")
        self.port = int(self.address.rpartition(":")[2])
        self.peers = {self.id: self.address}
        self._answers_heartbeats = answers_heartbeats

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop all connections, as the end of the process would."""
        self._socket.close(0)
        self._context.term()

    def expect(self, kind: type[Message], timeout_s: float = TIMEOUT_S) -> tuple[bytes, Message]:
        """Return the sender and the next message, which must be a `kind`; heartbeats may come before it."""
        while True:
            identity, message = self._receive(timeout_s)
            if isinstance(message, kind):
                return identity, message
            assert isinstance(message, wire.ContainerHeartbeat), f"{message} came instead of {kind.__name__}"

    def expect_nothing(self, for_s: float) -> None:
        """Wait `for_s` seconds, in which nothing but heartbeats may come."""
        ends_at = time.monotonic() + for_s
        while (left_s := ends_at - time.monotonic()) > 0:
            if self._socket.poll(int(left_s * 1000)):
                _, message = self._receive(left_s)
                assert isinstance(message, wire.ContainerHeartbeat), f"{message} came unasked"

    def _receive(self, timeout_s: float) -> tuple[bytes, wire.FromContainer]:
        if not self._socket.poll(int(timeout_s * 1000)):
            raise TimeoutError(f"no message within {timeout_s:g} s")
        identity, *frames = self._socket.recv_multipart()
        message = wire.decode_from_container(frames)
        if isinstance(message, wire.ContainerHeartbeat) and self._answers_heartbeats:
            self.heartbeat(identity)
        return identity, message

    def accept(self) -> Replica:
        """Complete the handshake of the next container that says hello."""
        identity, _ = self.expect(wire.Hello)
        return self.accept_hello(identity)

    def accept_hello(self, identity: bytes) -> Replica:
        """Complete the handshake of a container that has said hello."""
        self.heartbeat(identity, wire.SEND_METADATA)
        while True:
            sender, metadata = self.expect(wire.Metadata)
            if sender == identity:
                break
        self.heartbeat(identity)
        return Replica(identity, metadata)

    def heartbeat(self, identity: bytes, heartbeat_type: int = wire.KEEPALIVE) -> None:
        """Send a heartbeat with the current list of peers."""
        self.send(identity, wire.encode_v4_heartbeat(heartbeat_type, self.id, self.peers))

    def send(self, identity: bytes, frames: Sequence[bytes]) -> None:
        """Send one message as it is."""
        self._socket.send_multipart([identity, *frames])

    def request(
        self, identity: bytes, rows: Sequence[Sequence[float]], *, message_id: int = 1, left_s: float = 60.0
    ) -> None:
        """Send a batch of doubles."""
        inputs = [np.array(row, dtype=np.float64).tobytes() for row in rows]
        self.send(identity, wire.encode_v4_request(message_id, DOUBLES, inputs, int(left_s * 1e6)))

    def predict(self, identity: bytes, rows: Sequence[Sequence[float]]) -> wire.Answer:
        """Send a batch of doubles and return its answer."""
        self.request(identity, rows)
        return self.expect(wire.Answer)[1]

"""The RPC socket: a ZeroMQ ROUTER on the event loop. It moves frames and knows nothing of what is in them.

The socket's file descriptor is edge-triggered: it tells once that something happened, and after that only
receiving until nothing is left, or sending, looks again (zmq_getsockopt(3), ZMQ_FD).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import Callable

import zmq

logger = logging.getLogger("clipper.query.rpc")

# As plain integers: Python's flags cost a microsecond for each operation.
_LAST = int(zmq.NOBLOCK)
_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS = int(zmq.EVENTS)
_READABLE = int(zmq.POLLIN)
#: Messages that are taken in one turn of the event loop; the rest waits for the next one.
_MOST_PER_TURN = 256
#: ZMTP heartbeats notice a peer whose host is gone; see also the sessions' own, which notice a dead process.
_ZMTP_HEARTBEAT_MS = 5_000
_ZMTP_TIMEOUT_MS = 20_000
_ZMTP_TTL_MS = 30_000
_TCP_KEEPALIVE_IDLE_S = 60
_LINGER_MS = 1_000


class RpcSocket:
    """A bound ROUTER socket.

    `received` gets each message's frames, the routing id first. `disconnected` is called when some connection
    was closed; which one is only found out by sending. Raises OSError where the address cannot be bound.
    """

    def __init__(
        self,
        host: str,
        port: int,
        received: Callable[[list[bytes]], None],
        disconnected: Callable[[], None],
    ) -> None:
        self._received = received
        self._disconnected = disconnected
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        _configure(self._socket)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            self.port = _bind(self._socket, host, port)
        except zmq.ZMQError as exc:
            self._close_sockets()
            raise OSError(exc.errno, f"cannot listen for containers on {host}:{port}: {exc}") from exc
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn_scheduled = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to receive on the event loop."""
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._turn)
        loop.add_reader(self._monitor.fileno(), self._monitor_turn)
        self._schedule_turn()

    def close(self) -> None:
        """Stop receiving, and give what was sent a second to leave."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_reader(self._monitor.fileno())
            self._loop = None
        self._close_sockets()

    def send(self, identity: bytes, frames: list[bytes]) -> bool:
        """Send frames to one peer; return False when it is gone."""
        send = self._socket.send
        try:
            send(identity, _MORE)
            for frame in frames[:-1]:
                send(frame, _MORE)
            send(frames[-1], _LAST)
        except zmq.ZMQError as exc:
            if exc.errno in (errno.EHOSTUNREACH, errno.EAGAIN):
                return False
            raise
        if not self._turn_scheduled:
            self._schedule_turn()
        return True

    def _schedule_turn(self) -> None:
        if self._loop is not None:
            self._turn_scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_scheduled = False
        socket = self._socket
        for _ in range(_MOST_PER_TURN):
            # Asking first costs less than the exception of an attempt to receive nothing.
            if not socket.getsockopt(_EVENTS) & _READABLE:  # type: ignore[operator]
                return
            self._received(socket.recv_multipart(_LAST))
        self._schedule_turn()

    def _monitor_turn(self) -> None:
        with contextlib.suppress(zmq.Again):
            while True:
                self._monitor.recv_multipart(zmq.NOBLOCK)
        self._disconnected()

    def _close_sockets(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=_LINGER_MS)
        self._context.term()


def _configure(socket: zmq.Socket[bytes]) -> None:
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.LINGER, _LINGER_MS)
    # Batches are bounded by the estimator and by what may be outstanding, so a full queue means a dead peer.
    socket.setsockopt(zmq.SNDHWM, 1_000)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _ZMTP_HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _ZMTP_TIMEOUT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _ZMTP_TTL_MS)
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, _TCP_KEEPALIVE_IDLE_S)


def _bind(socket: zmq.Socket[bytes], host: str, port: int) -> int:
    if ":" in host:
        socket.setsockopt(zmq.IPV6, 1)
        host = f"[{host}]"
    socket.bind(f"tcp://{host}:{port or '*'}")
    bound = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(bound, bytes)  # as the option is documented
    return int(bound.rstrip(b"\0").rpartition(b":")[2])

"""The RPC socket: a ZeroMQ ROUTER on the event loop. It moves frames and does not look into them.

Theory of the edge-triggered descriptor
---------------------------------------
A ZeroMQ socket has one file descriptor for "something happened" (zmq_getsockopt(3), ZMQ_FD). It becomes
readable on a change of the socket's state, not while messages are waiting, and any call on the socket, a send
included, may process that change and make the descriptor quiet again. Three rules follow; breaking one of
them leaves messages unread until the next unrelated event:

1. Receive until nothing is left. A turn that stops early, because MAX_PER_TURN messages were taken, or
   MAX_STRANGERS_PER_TURN of peers without a session, must schedule another turn itself: no new edge will
   come for the rest.
2. Look again after each send. A send may swallow the edge of a message that arrived meanwhile, so it
   schedules a turn at the end of the event loop's present one (one turn for all sends of it).
3. Look once after the descriptor was registered: what arrived before made its edge already. The monitor has a
   descriptor of the same kind.

"Nothing is left" is asked for with ZMQ_EVENTS before each receive: that costs less than the exception of an
attempt to receive from an empty socket.

The ROUTER is mandatory (ZMQ_ROUTER_MANDATORY): a send to a peer that is gone fails with EHOSTUNREACH instead
of dropping the message, and with EAGAIN if the peer's queue is full. send() returns False for both. Which
peer a closed connection belonged to is not part of ZeroMQ's monitor event, so `disconnected` is a hint to
probe.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from collections.abc import Callable

import zmq

logger = logging.getLogger("clipper.query.rpc")

#: The outputs of a batch travel in one frame: four times what one request may hold.
DEFAULT_MAX_MESSAGE_BYTES = 256 * 1024 * 1024

#: As plain integers: an operation on Python's flags costs a microsecond.
_LAST = int(zmq.NOBLOCK)
_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS = int(zmq.EVENTS)
_READABLE = int(zmq.POLLIN)
#: Messages taken in one turn of the event loop; the rest waits for the next turn.
_MAX_PER_TURN = 256
#: Messages of peers without a session in one turn: queries go on in between, however many come.
_MAX_STRANGERS_PER_TURN = 32
#: Messages of one peer that wait to be received; beyond, its TCP connection is not read. A replica has a few
#: batches outstanding.
_MAX_WAITING_OF_A_PEER = 256
#: ZMTP heartbeats notice a peer whose host is gone; the sessions' heartbeats notice a process that hangs.
_ZMTP_HEARTBEAT_MS = 5_000
_ZMTP_TIMEOUT_MS = 20_000
_ZMTP_TTL_MS = 30_000
_TCP_KEEPALIVE_IDLE_S = 60
_LINGER_MS = 1_000


class RpcSocket:
    """A bound ROUTER socket; `port` is the port that it listens on.

    A peer that sends a frame above `max_message_bytes` is disconnected. Raises OSError if the address cannot
    be bound.
    """

    def __init__(self, host: str, port: int, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        _configure(self._socket)
        self._socket.setsockopt(zmq.MAXMSGSIZE, max_message_bytes)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            self.port = _bind(self._socket, host, port)
        except zmq.ZMQError as exc:
            self._close_sockets()
            raise OSError(exc.errno, f"could not listen for containers on {host}:{port}: {exc}") from exc
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn_scheduled = False

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        received: Callable[[list[bytes], float], bool],
        disconnected: Callable[[], None],
    ) -> None:
        """Start to receive on the event loop.

        `received` gets each message's frames, the routing id first, and the time on the monotonic clock, in
        seconds; it returns whether the sender has no session. `disconnected` is called after a connection was
        closed.
        """
        self._loop = loop
        self._received = received
        self._disconnected = disconnected
        loop.add_reader(self._socket.fileno(), self._turn)
        loop.add_reader(self._monitor.fileno(), self._monitor_turn)
        self._schedule_turn()
        loop.call_soon(self._monitor_turn)

    def close(self) -> None:
        """Stop receiving, and give sent messages a second to leave."""
        if self._loop is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_reader(self._monitor.fileno())
            self._loop = None
        self._close_sockets()

    def send(self, identity: bytes, frames: list[bytes]) -> bool:
        """Send frames to one peer; return whether the peer is still there."""
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
        strangers_left = _MAX_STRANGERS_PER_TURN
        for _ in range(_MAX_PER_TURN):
            if not socket.getsockopt(_EVENTS) & _READABLE:  # type: ignore[operator]
                return
            if self._received(socket.recv_multipart(_LAST), time.monotonic()):
                strangers_left -= 1
                if not strangers_left:
                    break
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
    # The number and size of outstanding batches are bounded, so a full queue means a dead peer.
    socket.setsockopt(zmq.SNDHWM, 1_000)
    socket.setsockopt(zmq.RCVHWM, _MAX_WAITING_OF_A_PEER)
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

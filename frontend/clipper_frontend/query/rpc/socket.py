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

Peers without a session wait in the lobby (lobby.py). Connections are known by libzmq's descriptors, which are
in the monitor's events and, as ZMQ_SRCFD, with each message. Messages of peers that speak an older protocol
than libzmq 4.0 have none: they are dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import struct
import time
from collections.abc import Callable, Container

import zmq

from clipper_frontend.query.rpc.lobby import Lobby
from clipper_frontend.query.rpc.sessions import NO_CONNECTION

logger = logging.getLogger("clipper.query.rpc")

#: The outputs of a batch travel in one frame: four times what one request may hold.
DEFAULT_MAX_MESSAGE_BYTES = 256 * 1024 * 1024

#: As plain integers: an operation on Python's flags costs a microsecond.
_LAST = int(zmq.NOBLOCK)
_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS = int(zmq.EVENTS)
_READABLE = int(zmq.POLLIN)
_HAS_MORE = int(zmq.RCVMORE)
#: The first frame of the monitor's events: which event, and libzmq's descriptor of the connection.
_EVENT = struct.Struct("=Hi")
#: Messages taken in one turn of the event loop; the rest waits for the next turn.
_MAX_PER_TURN = 256
#: Messages of peers without a session in one turn: queries go on in between, however many come.
_MAX_STRANGERS_PER_TURN = 32
#: Messages of one peer that wait to be received; beyond, its TCP connection is not read. A replica has two
#: batches outstanding. What a peer sent that has left still waits.
_MAX_WAITING_OF_A_PEER = 32
#: While somebody is in the lobby, it is looked at so often, for this share of the event loop's time at most.
_LOOK_INTERVAL_S = 0.01
_MAX_LOOK_SHARE = 0.05
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
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        try:
            self.port = _bind(self._socket, host, port)
        except zmq.ZMQError as exc:
            self._close_sockets()
            raise OSError(exc.errno, f"could not listen for containers on {host}:{port}: {exc}") from exc
        self.lobby = Lobby(self.port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self._next_turn: asyncio.Handle | None = None

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        received: Callable[[list[bytes], float, int], None],
        members: Container[bytes],
        disconnected: Callable[[], None],
    ) -> None:
        """Start to receive on the event loop.

        `received` gets each message's frames, the routing id first, the time on the monotonic clock, in
        seconds, and the number of the connection if the sender is none of the `members`, who have sessions.
        `disconnected` is called after a connection was closed.
        """
        self._loop = loop
        self._received = received
        self._members = members
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
        for handle in (self._next_turn, self._next_look):
            if handle is not None:
                handle.cancel()
        self.lobby.close()
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
        if self._next_turn is None:
            self._schedule_turn()
        return True

    def _schedule_turn(self) -> None:
        if self._loop is not None:
            self._next_turn = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._next_turn = None
        socket, members, received = self._socket, self._members, self._received
        strangers_left = _MAX_STRANGERS_PER_TURN
        for _ in range(_MAX_PER_TURN):
            if not socket.getsockopt(_EVENTS) & _READABLE:  # type: ignore[operator]
                return
            identity = socket.recv(_LAST)
            if identity in members:
                frames = [identity]
                while socket.getsockopt(_HAS_MORE):
                    frames.append(socket.recv(_LAST))
                received(frames, time.monotonic(), NO_CONNECTION)
            else:
                self._receive_of_stranger(identity)
                strangers_left -= 1
                if not strangers_left:
                    break
        self._schedule_turn()

    def _receive_of_stranger(self, identity: bytes) -> None:
        parts = self._socket.recv_multipart(_LAST, copy=False)
        connection = _connection_of(parts[0])
        if connection is None:
            return  # its peer speaks a protocol from before libzmq 4.0, and could not be let out of the lobby
        if connection not in self.lobby:
            self._monitor_turn()  # that it came is known there, but was not read yet
        self._received([identity, *(part.bytes for part in parts)], time.monotonic(), connection)

    def seated(self, connection: int, has_session: bool) -> None:
        """Note that the peer of a connection got a session, or lost it."""
        if has_session:
            self.lobby.seat(connection)
        else:
            self.lobby.unseat(connection)
            self._look_soon(_LOOK_INTERVAL_S)

    def _monitor_turn(self) -> None:
        now, any_left = time.monotonic(), False
        with contextlib.suppress(zmq.Again):
            while True:
                event, descriptor = _EVENT.unpack(self._monitor.recv_multipart(zmq.NOBLOCK)[0])
                if event == zmq.EVENT_ACCEPTED:
                    self.lobby.came(descriptor, now)
                else:
                    self.lobby.left(descriptor)
                    any_left = True
        self._look_soon(_LOOK_INTERVAL_S)
        if any_left:
            self._disconnected()

    def _look_soon(self, delay_s: float) -> None:
        if self._next_look is None and len(self.lobby) and self._loop is not None:
            self._next_look = self._loop.call_later(delay_s, self._look)

    def _look(self) -> None:
        self._next_look = None
        began = time.monotonic()
        self.lobby.look(began)
        took_s = time.monotonic() - began
        self._look_soon(max(_LOOK_INTERVAL_S, took_s / _MAX_LOOK_SHARE))

    def _close_sockets(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=_LINGER_MS)
        self._context.term()


def _connection_of(part: zmq.Frame) -> int | None:
    """Return libzmq's descriptor of the connection that a frame came over, or None if it has none."""
    try:
        return int(part.get(zmq.SRCFD))
    except zmq.ZMQError:
        return None


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

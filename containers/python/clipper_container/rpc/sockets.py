"""The ZeroMQ sockets behind the sessions: one DEALER and its monitor for each link.

Not thread-safe: the caller holds the runtime's lock, which is also the memory fence that ZeroMQ requires when
a socket changes threads.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

import zmq
from zmq.utils.monitor import recv_monitor_message

from clipper_container.addresses import AddressError
from clipper_container.rpc.links import Link
from clipper_container.rpc.lookup import Lookup, Place, literal_place
from clipper_container.rpc.wakeup import Wakeup

#: IMMEDIATE stays off: the hello is queued before the connection is there. ZeroMQ's own reconnecting is off,
#: since a session never outlives its connection.
_SOCKET_OPTIONS = (
    (zmq.RECONNECT_IVL, -1),
    (zmq.LINGER, 0),
    (zmq.SNDHWM, 0),
    (zmq.RCVHWM, 0),
    (zmq.IPV6, 1),
    (zmq.HEARTBEAT_IVL, 5_000),
    (zmq.HEARTBEAT_TIMEOUT, 20_000),
    (zmq.HEARTBEAT_TTL, 30_000),
    (zmq.TCP_KEEPALIVE, 1),
    (zmq.TCP_KEEPALIVE_IDLE, 60),
)
_LOSSES = zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED
#: Plain integers: Python's flags cost a microsecond for each operation.
_LAST = int(zmq.NOBLOCK)
_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_EVENTS = int(zmq.EVENTS)
_READABLE = int(zmq.POLLIN)
#: At most this many messages are taken from one link before the others have their turn.
_MAX_MESSAGES_PER_POLL = 64


class Received(NamedTuple):
    """A message from a link's frontend."""

    link: Link
    frames: list[bytes]


class Lost(NamedTuple):
    """A link's connection was lost, or could not be made."""

    link: Link
    reason: str


class Woken(NamedTuple):
    """The wake-up is readable; the caller of poll() empties it."""


Event = Union[Received, Lost, Woken]


class _Connection(NamedTuple):
    socket: zmq.Socket[bytes]
    monitor: zmq.Socket[bytes]


class Sockets:
    """The sockets of one replica."""

    def __init__(self, wakeup: Wakeup, dns_server: Optional[str]) -> None:
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self._poller.register(wakeup.fileno(), zmq.POLLIN)
        self._lookup: Lookup[tuple[Link, Sequence[bytes]]] = Lookup(dns_server, wakeup.wake)
        self._connections: dict[Link, Optional[_Connection]] = {}
        self._owners: dict[object, Link] = {}
        self._monitor_numbers = itertools.count()

    # -- Transport -------------------------------------------------------------------------------------------

    def dial(self, link: Link, first: Sequence[bytes]) -> None:
        """Begin to connect, and send `first` as soon as the connection is there; poll() reports a failure."""
        self._connections[link] = None
        place = literal_place(link.address)
        if place is None:
            self._lookup.ask((link, first), link.address, link.attempt)
        else:
            self._connect(link, place, first)

    def send(self, link: Link, frames: Sequence[bytes]) -> None:
        """Send one message without blocking."""
        connection = self._connections[link]
        if connection is None:
            return
        try:
            _send(connection.socket, frames)
        except zmq.Again:  # there is no high-water mark, so the connection is lost: poll() will report it
            return

    def close(self, link: Link, linger_ms: int = 0) -> None:
        """Close the link's connection; unsent messages have `linger_ms` to leave."""
        connection = self._connections.pop(link)
        if connection is None:
            return
        for socket in connection:
            self._poller.unregister(socket)
            del self._owners[socket]
        connection.socket.disable_monitor()
        connection.monitor.close(0)
        connection.socket.close(linger_ms)

    # -- polling ---------------------------------------------------------------------------------------------

    def poll(self, timeout_ms: int) -> list[Event]:
        """Return the events that have arrived; wait up to `timeout_ms` for the first one or for a wake-up."""
        events: list[Event] = []
        losses: list[Event] = []
        for readable, _ in self._poller.poll(timeout_ms):
            link = self._owners.get(readable)
            if link is None:
                events.append(Woken())
                losses += self._connect_found()
                continue
            connection = self._connections[link]
            assert connection is not None
            if readable is connection.socket:
                self._receive(link, connection.socket, events)
            elif self._is_lost(connection.monitor):
                if _is_readable(connection.socket):  # messages that came before the loss still count
                    self._receive(link, connection.socket, events)
                losses.append(Lost(link, "the connection was closed or could not be made"))
        return events + losses

    def close_all(self, linger_ms: int) -> None:
        """Close everything; blocks for up to `linger_ms` while answers leave."""
        for link in list(self._connections):
            self.close(link, linger_ms)
        self._lookup.close()
        self._context.term()

    def _receive(self, link: Link, socket: zmq.Socket[bytes], events: list[Event]) -> None:
        """Take the message that has arrived, and those right behind it."""
        for _ in range(_MAX_MESSAGES_PER_POLL):
            try:
                events.append(Received(link, socket.recv_multipart(_LAST)))
            except zmq.Again:
                return
            if not _is_readable(socket):  # cheaper than the exception
                return

    def _is_lost(self, monitor: zmq.Socket[bytes]) -> bool:
        is_lost = False
        while _is_readable(monitor):
            is_lost = bool(recv_monitor_message(monitor)["event"] & _LOSSES) or is_lost
        return is_lost

    def _connect_found(self) -> list[Event]:
        losses: list[Event] = []
        for (link, first), place in self._lookup.found():
            if link not in self._connections:
                continue
            if isinstance(place, AddressError):
                losses.append(Lost(link, str(place)))
            else:
                self._connect(link, place, first)
        return losses

    def _connect(self, link: Link, place: Place, first: Sequence[bytes]) -> None:
        socket = self._context.socket(zmq.DEALER)
        for option, value in _SOCKET_OPTIONS:
            socket.setsockopt(option, value)
        # Random, so that a frontend never takes this session for an earlier one.
        socket.setsockopt(zmq.ROUTING_ID, b"c" + os.urandom(12))
        monitor_name = f"inproc://monitor-{next(self._monitor_numbers)}"
        socket.monitor(monitor_name, _LOSSES)
        monitor = self._context.socket(zmq.PAIR)
        monitor.connect(monitor_name)
        for readable in (socket, monitor):
            self._poller.register(readable, zmq.POLLIN)
            self._owners[readable] = link
        self._connections[link] = _Connection(socket, monitor)
        host = f"[{place.host}]" if ":" in place.host else place.host
        socket.connect(f"tcp://{host}:{place.port}")
        _send(socket, first)


def _send(socket: zmq.Socket[bytes], frames: Sequence[bytes]) -> None:
    for frame in frames[:-1]:
        socket.send(frame, _MORE)
    socket.send(frames[-1], _LAST)


def _is_readable(socket: zmq.Socket[bytes]) -> bool:
    """Return whether a message is there."""
    events = socket.getsockopt(_EVENTS)
    assert isinstance(events, int)
    return bool(events & _READABLE)

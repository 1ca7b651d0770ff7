"""The lobby of the RPC port: connections whose peers have no session. Few of them, with few bytes each.

libzmq reads a message whole before anybody sees it. Its high-water mark counts messages, and its largest size
is that of a frame, of which a message may have any number: neither bounds a peer that has not introduced
itself. So the lobby asks the kernel what has come over each of its connections (TCP_INFO, on Linux), and ends
those that sent more than a container ever has to before it has a session. libzmq then frees what it had of
them.

It holds a descriptor of its own for each connection, since the number of libzmq's may have become another
connection's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import struct
import sys
from typing import Final

from clipper_frontend.allowances import Allowances

logger = logging.getLogger("clipper.query.rpc")

#: Connections without a session; beyond, the one that has been here longest is ended. Each of a thousand
#: replicas that connect anew is here for a few milliseconds.
MAX_CONNECTIONS: Final = 500
#: What may come over one of them at once, and each second from then on. An introduction has 8 KiB at most.
MAX_BYTES_AT_ONCE: Final = 32 * 1024
_MAX_BYTES_PER_S: Final = 1024
_LOG_INTERVAL_S: Final = 60.0
#: The place of `tcpi_bytes_received` in the kernel's `struct tcp_info`, since Linux 4.1.
_RECEIVED = struct.Struct("128xQ")


class Lobby:
    """The connections at one port, by libzmq's descriptors of them; `ended` counts those that it ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._guests: dict[int, _Guest] = {}
        #: The inodes of connections whose peer has a session.
        self._seated: dict[int, int] = {}
        self._bytes: Allowances[int] = Allowances(MAX_BYTES_AT_ONCE, _MAX_BYTES_PER_S)
        self._lines: Allowances[None] = Allowances(1.0, 1.0 / _LOG_INTERVAL_S)
        self.ended = 0

    def __len__(self) -> int:
        return len(self._guests)

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._guests

    def came(self, descriptor: int, now: float) -> None:
        """Let a new connection in; one that has gone already is ignored."""
        self.left(descriptor)
        guest = self._guest(descriptor)
        if guest is None:
            return
        self._guests[descriptor] = guest
        if len(self._guests) > MAX_CONNECTIONS:
            self._end(next(iter(self._guests)), now)

    def left(self, descriptor: int) -> None:
        """Forget a connection that was closed."""
        self._seated.pop(descriptor, None)
        guest = self._guests.pop(descriptor, None)
        if guest is not None:
            guest.socket.close()

    def seat(self, descriptor: int) -> None:
        """Let a connection's peer out of the lobby: it has a session."""
        guest = self._guests.pop(descriptor, None)
        if guest is not None:
            self._seated[descriptor] = guest.inode
            guest.socket.close()

    def unseat(self, descriptor: int) -> None:
        """Take a connection back whose peer has no session any more, if it is still there."""
        inode = self._seated.pop(descriptor, None)
        if inode is None:
            return
        guest = self._guest(descriptor)
        if guest is not None and guest.inode == inode:
            guest.received = guest.count_received()
            self._guests[descriptor] = guest
        elif guest is not None:
            guest.socket.close()

    def look(self, now: float) -> None:
        """End the connections over which too much has come."""
        for descriptor, guest in list(self._guests.items()):
            before, guest.received = guest.received, guest.count_received()
            count = guest.received - before
            if count and not self._bytes.spend(guest.inode, now, count):
                self._end(descriptor, now)

    def close(self) -> None:
        """Give back all descriptors."""
        for descriptor in list(self._guests):
            self.left(descriptor)

    def _guest(self, descriptor: int) -> _Guest | None:
        try:
            guest = _Guest(os.dup(descriptor))
        except OSError:  # it was closed
            return None
        if guest.port == self._port:
            return guest
        guest.socket.close()  # it was closed, and its number is in use for something else
        return None

    def _end(self, descriptor: int, now: float) -> None:
        guest = self._guests.pop(descriptor)
        guest.end()
        self.ended += 1
        if self._lines.spend(None, now):
            logger.warning(
                "the RPC port ended a connection of a peer without a session, since it sent too much or "
                "there were too many of them; there have been %d",
                self.ended,
            )


class _Guest:
    __slots__ = ("inode", "port", "received", "socket")

    def __init__(self, descriptor: int) -> None:
        try:
            self.socket = socket.socket(fileno=descriptor)
        except OSError:
            os.close(descriptor)
            raise
        name = self.socket.getsockname()
        self.port = name[1] if self.socket.family in (socket.AF_INET, socket.AF_INET6) else 0
        self.inode = os.fstat(descriptor).st_ino
        self.received = 0

    def count_received(self) -> int:
        """Return how many bytes have come, or 0 where the system does not count them."""
        if sys.platform != "linux":
            return 0
        info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.size)
        return int(_RECEIVED.unpack(info)[0]) if len(info) == _RECEIVED.size else 0

    def end(self) -> None:
        """End the connection, libzmq's descriptor of it included."""
        with contextlib.suppress(OSError):  # the peer may have reset it
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

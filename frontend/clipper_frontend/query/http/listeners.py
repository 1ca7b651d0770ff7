"""Listening sockets that are handed over to the process that takes this one's place.

When a listening socket is closed, the kernel resets the connections in its queue. So a successor binds none
of its own: at a unix socket of its predecessor it gets the listening socket itself, and the two accept from
one queue until the predecessor stops. Each socket has the name of the process that it belongs to. A stand-in
takes the sockets of several processes, and gives each its own back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Iterable
from pathlib import Path

logger = logging.getLogger("clipper.query.http")

_TAKE_TIMEOUT_S = 2.0
_MAX_SOCKETS = 64
_NAMES_BYTES = 16_384
_SEPARATOR = "\n"

#: A listening socket and the name of the process that it belongs to.
Listener = tuple[str, socket.socket]


def take_listeners(paths: Iterable[str], only: str | None) -> list[Listener]:
    """Return the listening sockets of the processes at these unix sockets, or those of one name.

    Processes that are not there are skipped.
    """
    found: list[Listener] = []
    for path in paths:
        for name, listener in _take(path):
            if only in (None, name):
                found.append((name, listener))
            else:
                listener.close()
    return found


def _take(path: str) -> list[Listener]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_TAKE_TIMEOUT_S)
        try:
            connection.connect(path)
            names, descriptors, _, _ = socket.recv_fds(connection, _NAMES_BYTES, _MAX_SOCKETS)
        except OSError:
            return []
    listeners = [socket.socket(fileno=descriptor) for descriptor in descriptors]
    for listener in listeners:
        listener.setblocking(False)
    return list(zip(names.decode().split(_SEPARATOR), listeners, strict=False))


class Handover:
    """Gives listening sockets to whoever asks at the unix socket `path`, from start() to close().

    Only processes of the same user can ask. `was_taken` is true once somebody has.
    """

    def __init__(self, path: str, listeners: Iterable[Listener]) -> None:
        self._path = Path(path)
        # Copies, which stay open whatever the servers do with theirs.
        self._listeners = [(name, os.dup(listener.fileno())) for name, listener in listeners]
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self.was_taken = False

    def start(self) -> None:
        """Listen. Raises OSError if `path` cannot be used."""
        # Left by a process that was killed, or by a predecessor that has ended.
        self._path.unlink(missing_ok=True)
        self._socket.bind(str(self._path))
        self._path.chmod(0o600)
        self._socket.listen()
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._give)

    def _give(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._socket.accept()
            with connection:
                names = _SEPARATOR.join(name for name, _ in self._listeners).encode()
                socket.send_fds(connection, [names], [descriptor for _, descriptor in self._listeners])
                self.was_taken = True
                logger.info("another query frontend took the listening sockets over")

    def close(self) -> None:
        """Stop giving, and close the copies."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
        while self._listeners:
            os.close(self._listeners.pop()[1])

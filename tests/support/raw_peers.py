"""Peers of the RPC port that write ZeroMQ's bytes themselves, to send what no library would."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
_READY = b"\x05READY\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
_COMMAND, _MORE, _LONG = 4, 1, 2
_FRAME_BYTES = 1024 * 1024


def connect_raw(address: str) -> socket.socket:
    """Return a connection over which ZMTP's handshake was made."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(_GREETING + bytes([_COMMAND, len(_READY)]) + _READY)
    try:
        _receive(connection, len(_GREETING))
        _receive(connection, _receive(connection, 2)[1])
    except BaseException:
        connection.close()
        raise
    return connection


def _receive(connection: socket.socket, count: int) -> bytes:
    """Return so many bytes; the peer sends them before it gets a message, or ends the connection."""
    received = connection.recv(count, socket.MSG_WAITALL)
    if len(received) < count:
        raise ConnectionResetError("the connection was ended in its handshake")
    return received


def frame(payload: bytes, *, more: bool) -> bytes:
    """Return a frame as it is on the wire."""
    return struct.pack(">BQ", _LONG | (_MORE if more else 0), len(payload)) + payload


class Floods:
    """Peers that each begin a message and never end it, as fast as they can; who is cut off comes again."""

    def __init__(self, address: str, count: int) -> None:
        self._address = address
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._flood) for _ in range(count)]
        self.connections = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _flood(self) -> None:
        data = frame(bytes(_FRAME_BYTES), more=True)
        while not self._stop.is_set():
            with contextlib.suppress(OSError), connect_raw(self._address) as connection:
                with self._lock:
                    self.connections += 1
                connection.settimeout(1.0)
                while not self._stop.is_set():
                    connection.sendall(data)

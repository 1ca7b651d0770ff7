"""Clients that have gone while they are owed answers.

A client that has closed its connection looks like one that has only sent all and still reads: the kernel
reports the end of what it sent. The difference shows when something is sent: a closed end refuses it. So
after a moment a client of HTTP/1.1, which must bear an interim answer at any time, is sent 100 Continue.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from clipper_frontend.query.http.responses import CONTINUE

#: Most clients that have sent all are answered before this.
_FIRST_LOOK_S: Final = 0.05
_NEXT_LOOK_S: Final = 0.01
_MAX_PAUSE_S: Final = 1.0
#: The first byte of Linux's struct tcp_info is the connection's state.
_CLOSED: Final = 7


class DepartureWatch:
    """The watch over one client that has sent all; `owes` is whether it is still owed an answer."""

    def __init__(self, transport: asyncio.Transport, owes: Callable[[], bool]) -> None:
        self._transport = transport
        self._owes = owes
        self._pause_s = _NEXT_LOOK_S
        asyncio.get_running_loop().call_later(_FIRST_LOOK_S, self._probe)

    def _probe(self) -> None:
        if self._owes():
            self._transport.write(CONTINUE)
            self._look_later()

    def _look_later(self) -> None:
        asyncio.get_running_loop().call_later(self._pause_s, self._look)
        self._pause_s = min(_MAX_PAUSE_S, 2 * self._pause_s)

    def _look(self) -> None:
        if not self._owes():
            return
        if _is_closed(self._transport):
            self._transport.abort()
        else:
            self._look_later()


def _is_closed(transport: asyncio.Transport) -> bool:
    """Return whether the other end refused what was sent."""
    try:
        info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return bool(info[0] == _CLOSED)
    except (OSError, AttributeError, IndexError):
        return False  # not Linux, or not TCP: it is seen when the answer is sent

"""The time at which a request could have been read, however late it is read.

A query's clock starts then. The event loop finds all sockets with something to read at once, and then takes
one after the other; and what arrives while it is busy waits in the kernel until it looks again.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Final

#: Less than this since an arrival is the delay of any event loop, and no waiting. In seconds.
NEGLIGIBLE_S: Final = 0.002
#: If the loop has not looked for this long, it may have been busy, and the kernel is asked since when bytes
#: wait. It is not asked more often, since a question costs 3 µs.
_LONG_TURN_S: Final = 0.020
#: The kernel counts in ticks of up to this.
_TICK_S: Final = 0.010
#: The place of tcpi_last_data_recv, in milliseconds, in Linux's struct tcp_info.
_LAST_DATA_AT: Final = 52
_MS_PER_S: Final = 1000


class ArrivalClock:
    """The arrivals on one event loop, as times of the monotonic clock."""

    def __init__(self) -> None:
        self._loop_time: Callable[[], float] | None = None
        self._turn_s = 0.0
        self._was_away = False

    def arrival(self, transport: asyncio.Transport) -> float:
        """Return since when what was just read from a connection could be read, up to NEGLIGIBLE_S more."""
        loop_time = self._loop_time
        if loop_time is None:
            loop_time = self._loop_time = asyncio.get_running_loop().time
        # uvloop's time is the monotonic clock's at the last look at the sockets.
        turn_s = loop_time()
        if turn_s != self._turn_s:
            self._was_away = turn_s - self._turn_s > _LONG_TURN_S
            self._turn_s = turn_s
        if self._was_away:
            age_s = _age_of_last_data(transport)
            now = time.monotonic()
            return now - age_s if age_s > _TICK_S else now
        return turn_s


def _age_of_last_data(transport: asyncio.Transport) -> float:
    """Return how long ago the last bytes of a connection came, in seconds; 0 if that is not known."""
    try:
        sock = transport.get_extra_info("socket")
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_AT + 4)
        (age_ms,) = struct.unpack_from("=I", info, _LAST_DATA_AT)
    except (OSError, AttributeError, TypeError, struct.error):
        return 0.0  # not Linux, or not TCP
    return float(age_ms) / _MS_PER_S

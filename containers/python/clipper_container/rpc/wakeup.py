"""The wake-up of a blocking poll, by signals and by other threads.

Signals arrive as bytes on a socket, so that any thread that polls gets them, also while the main thread is
inside a model. The process's handlers of SIGTERM and SIGINT are set here.
"""

from __future__ import annotations

import contextlib
import signal
import socket

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_WAKE = b"\0"


class Wakeup:
    """A socket that becomes readable on a signal to stop or on wake()."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor to poll for reading."""
        return self._reader.fileno()

    def catch_signals(self) -> None:
        """Let SIGTERM and SIGINT do nothing but wake. Only the main thread may call this."""
        for signum in STOP_SIGNALS:
            # Python writes a signal's number to the socket only if the signal has a Python handler.
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def wake(self) -> None:
        """Make the socket readable; any thread may call this."""
        # A full socket is readable already, and no thread waits on a closed one.
        with contextlib.suppress(OSError):
            self._writer.send(_WAKE)

    def stop_signals(self) -> list[int]:
        """Empty the socket, and return the stop signals that have arrived."""
        received = bytearray()
        with contextlib.suppress(BlockingIOError):
            while True:
                received += self._reader.recv(4096)
        return [number for number in received if number in STOP_SIGNALS]

    def close(self) -> None:
        """Restore the system's default handling of the signals."""
        signal.set_wakeup_fd(-1)
        for signum in STOP_SIGNALS:
            signal.signal(signum, signal.SIG_DFL)
        self._reader.close()
        self._writer.close()

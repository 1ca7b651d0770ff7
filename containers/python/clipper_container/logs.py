"""The form of the runtime's log: one line per record on stderr, times in UTC.

It applies to the `clipper` loggers only; the model's own logging and printing stay as they are.
"""

from __future__ import annotations

import logging
import sys
import time

from clipper_container.printable import printable


class _Formatter(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def configure_logging(level: str) -> None:
    """Send the runtime's log, from `level` up, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logger = logging.getLogger("clipper")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False

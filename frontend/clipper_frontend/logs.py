"""The frontends' log: on stderr, one line per record, times in UTC.

2026-01-01T12:00:00.000Z INFO clipper.query message
"""

from __future__ import annotations

import logging
import sys
import time

from clipper_container.logs import printable

_FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"
_TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
_LINE_BREAK = " | "
#: A longer record is cut; a traceback through all frameworks has some thousand characters.
_MAX_LINE_LENGTH = 16_000


class OneLineFormatter(logging.Formatter):
    """Writes a record, its traceback included, on one line. What could steer a terminal is escaped."""

    def __init__(self) -> None:
        super().__init__(_FORMAT, _TIME_FORMAT)
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        line = printable(_LINE_BREAK.join(super().format(record).splitlines()))
        return line if len(line) <= _MAX_LINE_LENGTH else f"{line[:_MAX_LINE_LENGTH]} …"


def configure_logging(level: str) -> None:
    """Log records of `level` (debug, info, warning, error) or above to stderr, and Python's warnings too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)

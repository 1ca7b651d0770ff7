"""The form of the runtime's log: one line per record on stderr, times in UTC. What others wrote is escaped.

It applies to the `clipper` loggers only; the model's own logging and printing stay as they are. Whatever
shows text of others in a log, a terminal or a label uses printable().
"""

from __future__ import annotations

import logging
import re
import sys
import time

#: Control characters except tab and line feed, marks that change the order in which text is shown or that
#: hide in it, other line ends, and halves of characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Return text in which characters that could steer a terminal are escaped; lines and tabs stay."""
    return _UNSAFE.sub(_escaped, text)


def printable_lines(text: str) -> str:
    """Return the lines of a log, escaped. A progress bar's carriage returns begin new lines."""
    return printable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode()


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

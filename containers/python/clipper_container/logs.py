"""The form of the runtime's log: one line per record on stderr, times in UTC. What others wrote is escaped.

The runtime's loggers are those below `clipper`. What the model's code logs from INFO up has the same form,
unless it configures logging itself; what it prints stays as it is. Whatever shows text of others in a log, a
terminal or a label uses printable().
"""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import Any

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
    logger = logging.getLogger("clipper")
    logger.handlers[:] = [_handler()]
    logger.setLevel(level.upper())
    logger.propagate = False


def log_model_code() -> None:
    """Send what the model's code logs, from INFO up, to stderr, as long as no handler of its own takes it.

    The handler is the one of last resort and not the root logger's, so that logging.basicConfig() and the
    like do what they do elsewhere.
    """
    logging.lastResort = _handler(logging.INFO)
    logging.getLogger().setLevel(logging.INFO)
    configure = logging.basicConfig

    def basic_config(**settings: Any) -> None:
        # logging.info() and its like call it without settings if the root logger has no handler.
        if settings:
            configure(**settings)

    logging.basicConfig = basic_config


def _handler(level: int = logging.NOTSET) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(level)
    handler.setFormatter(_Formatter())
    return handler

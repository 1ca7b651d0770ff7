"""The escaping of what others wrote, before it gets into a log, a terminal or a label. No I/O."""

from __future__ import annotations

import re

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

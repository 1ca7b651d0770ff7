"""Halves of surrogate pairs in JSON texts: escapes such as `\\ud83d` alone, which are no character. No I/O.

A text that is cut in the middle of a character has one. JSON's grammar allows them; UTF-8 has none for them.
"""

from __future__ import annotations

import re
from typing import Final

#: Escapes, so that an escaped backslash is not taken for the start of one; the group is half of a pair.
_ESCAPES: Final = re.compile(
    rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
#: A text is searched up to this length: it must not hold up the loop.
_MAX_SEARCHED_BYTES: Final = 1024 * 1024
_REPLACEMENT: Final = rb"\ufffd"


def half_of_pair(json_text: bytes) -> str | None:
    """Return the first half of a pair near the start of a JSON text, or None."""
    for escape in _ESCAPES.finditer(json_text[:_MAX_SEARCHED_BYTES]):
        if escape[1] is not None:
            return escape[1].decode()
    return None


def without_halves(json_text: bytes) -> bytes:
    """Return a JSON text with the replacement character in place of each half of a pair."""
    if half_of_pair(json_text) is None:
        return json_text
    return _ESCAPES.sub(lambda escape: escape[0] if escape[1] is None else _REPLACEMENT, json_text)

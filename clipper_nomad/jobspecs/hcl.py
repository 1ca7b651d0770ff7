"""Values written as HCL: Nomad's parser reads back the same values.

Text comes back in Unicode's normal form C, into which HCL brings all text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

#: The values that can be written. A map's keys may be any text.
Value: TypeAlias = "str | bool | int | float | Sequence[Value] | Mapping[str, Value]"

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_SPECIAL = re.compile(r'[\\"\x00-\x1f\x7f-\x9f\u2028\u2029]')
_TEMPLATE = re.compile(r"([$%])(?=\{)")
#: The variables that Nomad replaces when a task starts; not HCL's functions and expressions.
_INTERPOLATION = re.compile(r"(\$\{[A-Za-z0-9_.-]+\})")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_MAX_LINE_LENGTH = 90


class Interpolated(str):
    """Text whose `${...}` Nomad fills in."""


def hcl(value: Value) -> str:
    """Write a value. Raises ValueError for numbers that HCL cannot express."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        return _in_lines("{", [f"{_key(name)} = {hcl(item)}" for name, item in value.items()], "", "}")
    items = [hcl(item) for item in value]
    line = f"[{', '.join(items)}]"
    is_short = len(line) <= _MAX_LINE_LENGTH and "\n" not in line
    return line if is_short else _in_lines("[", items, ",", "]")


def quote(text: str) -> str:
    """Write text in quotes, with templates and special characters escaped."""
    parts = _INTERPOLATION.split(text) if isinstance(text, Interpolated) else [text]
    # Every second part is an interpolation.
    return f'"{"".join(part if index % 2 else _escape(part) for index, part in enumerate(parts))}"'


def has_interpolation(text: str) -> bool:
    """Return whether Nomad would replace a part of `text` when a task starts, however it is quoted."""
    return _INTERPOLATION.search(text) is not None


def is_identifier(name: str) -> bool:
    """Return whether a name may stand without quotes."""
    return _IDENTIFIER.fullmatch(name) is not None


def _key(name: str) -> str:
    return name if is_identifier(name) else quote(name)


def _escape(text: str) -> str:
    escaped = _SPECIAL.sub(lambda match: _escape_character(match[0]), text)
    return _TEMPLATE.sub(r"\1\1", escaped)


def _escape_character(character: str) -> str:
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number in HCL")
    return repr(value)


def _in_lines(opening: str, items: Sequence[str], separator: str, closing: str) -> str:
    if not items:
        return opening + closing
    return "\n".join([opening, *(item + separator for item in items), closing])

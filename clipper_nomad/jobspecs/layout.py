"""The layout of HCL: indentation, alignment and blank lines, as by `nomad fmt`.

Works on lines, since only brackets span several of them. Changes no token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_INDENT = "  "
_OPENING, _CLOSING = "{[(", "}])"
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"|#.*')
# A key, quoted or not, and what it is set to.
_ASSIGNMENT = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*"|[\w.-]+)\s*=\s(?P<value>.*)')


def lay_out(text: str) -> str:
    """Return `text` with its lines indented by brackets, aligned, and with no needless blank line."""
    return "\n".join(_aligned(_indented(_without_needless_blanks(text.splitlines())))) + "\n"


def _without_needless_blanks(lines: Iterable[str]) -> Iterator[str]:
    """Drop the second of two blank lines, and those at the start and next to an end of brackets."""
    was_blank, may_be_blank = False, False
    for line in map(str.strip, lines):
        if not line:
            was_blank = True
            continue
        if was_blank and may_be_blank and line[0] not in _CLOSING:
            yield ""
        yield line
        was_blank, may_be_blank = False, line[-1] not in _OPENING


def _indented(lines: Iterable[str]) -> Iterator[str]:
    depth = 0
    for line in lines:
        depth_after = depth + _net_brackets(line)
        own_depth = min(depth, depth_after) if line[:1] and line[0] in _CLOSING else depth
        yield f"{_INDENT * own_depth}{line}" if line else ""
        depth = depth_after


def _aligned(lines: Iterable[str]) -> Iterator[str]:
    """Put the `=` of consecutive one-line assignments below each other."""
    together: list[tuple[str, re.Match[str]]] = []
    for line in lines:
        content = line.lstrip()
        match = _ASSIGNMENT.fullmatch(content)
        if match and _net_brackets(content) == 0:
            together.append((line[: len(line) - len(content)], match))
            continue
        yield from _align(together)
        together = []
        yield line
    yield from _align(together)


def _align(together: list[tuple[str, re.Match[str]]]) -> Iterator[str]:
    width = max((len(match["key"]) for _, match in together), default=0)
    for indent, match in together:
        yield f"{indent}{match['key']:{width}} = {match['value']}"


def _net_brackets(line: str) -> int:
    code = _STRING_OR_COMMENT.sub("", line)
    return sum(map(code.count, _OPENING)) - sum(map(code.count, _CLOSING))

"""Bodies of queries and admin calls: right ones, and ones that are right but for a detail."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

TYPES = ("bytes", "integers", "floats", "doubles", "strings")
_ODD_NUMBERS = (
    *("-0", "1e5", "1E-400", "1e400", "-1e999", "0.1", "123456789012345678901234567890", "2147483648"),
    *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10", "1_000", "1e", "--1", "9" * 5000),
)
_ODD_STRINGS = (
    *(r'"\ud800"', r'"\udfff\ud800"', r'"\u0000"', r'"\x41"', r'"\u12"', '"\t"', '"\x00"', '"\u202e"'),
    *("'single'", '"open', '""', '"A"', '"QUI="', '"not base64!"', f'"{"x" * 5000}"', '"\U0001f600"'),
)
_ODD_VALUES = (
    *("null", "true", "false", "{}", "[]", "[[]]", "[[1]]", '{"a": 1}', "[null]", "[1,null]", "[true]"),
    *('["1"]', "[1,]", "[,1]", "[1 2]", "[1", "1", "", "[" * 50_000, '{"a":' * 20_000, "[1] // comment"),
    *("[" + "[" * 500 + "]" * 500 + "]", "undefined", "[1,1e400]", "[0.5,1]", "[-1]", "[3e38,1e39]"),
)
_ODD_KEYS = ("user_id", "uid", "version", "query_id", "label", "input", "input_batch", "Input", "", "\u202e")


def good_value(rng: random.Random, input_type: str) -> Any:
    """Return an input of this type."""
    if input_type == "strings":
        return "".join(rng.choices('ab \u00e9\u4e2d\U0001f600"\\\n', k=rng.randrange(12)))
    if input_type == "bytes":
        return base64.b64encode(rng.randbytes(rng.randrange(1, 20))).decode()
    draw: Callable[[], float] = rng.random if input_type != "integers" else lambda: rng.randrange(-99, 99)
    return [draw() for _ in range(rng.randrange(1, 9))]


def odd_value(rng: random.Random) -> str:
    """Return the text of a value that is not what one expects, or not JSON."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.choice(_ODD_VALUES)
    if kind == 1:
        return rng.choice(_ODD_STRINGS)
    return f"[{rng.choice(_ODD_NUMBERS)}]" if kind == 2 else rng.choice(_ODD_NUMBERS)


def near_body(rng: random.Random, right: dict[str, Any]) -> bytes:
    """Return a body that differs from the right one: in a value, a key, its encoding, or some bytes."""
    members = {json.dumps(key): json.dumps(value) for key, value in right.items()}
    for _ in range(rng.choice((0, 1, 1, 2))):
        key = json.dumps(rng.choice([*right, *_ODD_KEYS]))
        members[key] = odd_value(rng)
    if members and rng.random() < 0.1:
        del members[rng.choice(list(members))]
    text = "{" + ", ".join(f"{key}: {value}" for key, value in members.items()) + "}"
    return _damaged(rng, _encoded(rng, text))


def _encoded(rng: random.Random, text: str) -> bytes:
    encoding = rng.choice(("utf-8",) * 12 + ("utf-8-sig", "utf-16", "utf-32-le", "utf-7"))
    return text.encode(encoding, errors="replace")


def _damaged(rng: random.Random, body: bytes) -> bytes:
    damage = rng.randrange(10)
    place = rng.randrange(len(body) + 1)
    if damage == 0:
        return body[:place]
    if damage == 1:
        return body[:place] + rng.randbytes(rng.randrange(1, 4)) + body[place:]
    if damage == 2:
        return body + rng.choice((b"\0", b"}", b" {}", b"\xff", b"\r\n\r\n", b"x"))
    if damage == 3:
        return rng.choice((b"\xef\xbb\xbf", b"\x0c", b")]}',\n", b"\xfe\xff")) + body
    return body


def is_surely_no_json(body: bytes) -> bool:
    """Return whether no reader may take a body for JSON: it is text, and a strict parser refuses it.

    Text that begins with a byte order mark is left to the reader, and so are NaN and its like.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return False
    if text.startswith("\ufeff"):
        return False
    try:
        # Numbers of many digits are no fault of the text.
        json.loads(text, parse_int=float)
    except json.JSONDecodeError:
        return True
    except RecursionError:
        return False
    return False

"""Content codings: bodies of requests decompressed in bounded steps, and answers compressed. No I/O."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from typing import Final

#: The codings of requests that are read, as the value of Accept-Encoding.
ACCEPTED: Final = "gzip, deflate"
#: It is worth compressing answers from this length on.
MIN_COMPRESSED_BYTES: Final = 1024
#: Answers up to this length are compressed on the event loop, in well under a millisecond.
MAX_INLINE_BYTES: Final = 32 * 1024

_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_RAW_BITS: Final = -15
#: One step returns at most so much, and reads at most so much: about a millisecond of work.
_STEP_BYTES: Final = 256 * 1024
_FED_BYTES: Final = 64 * 1024
#: A gzip text may be several joined ones; each costs a step.
_MAX_MEMBERS: Final = 64
_FASTEST: Final = 1
_GZIP: Final = re.compile(rb"(?:\A|,)[ \t]*(x-gzip|gzip|\*)[ \t]*(?:;[ \t]*q=([0-9.]*)[ \t]*)?(?=,|\Z)")


class UnreadableCoding(Exception):  # noqa: N818 (named for what it reports)
    """A body is not of the coding that its head claims; the message explains it."""


class Inflation:
    """The decompression of one body, in steps; `size` is the length of what has been decompressed."""

    def __init__(self, coding: str, body: bytes) -> None:
        self._coding = coding
        self._body = body
        self._at = 0
        self._members = 1
        self._bits = _GZIP_BITS if coding == "gzip" else _deflate_bits(body)
        self._decompressor = zlib.decompressobj(self._bits)
        self._rest = b""
        self._parts: list[bytes] = []
        self.size = 0

    @classmethod
    def of(cls, coding: bytes, body: bytes) -> Inflation | None:
        """Return the decompression of a body; None if the coding is not known here."""
        name = {b"gzip": "gzip", b"x-gzip": "gzip", b"deflate": "deflate"}.get(coding)
        return None if name is None else cls(name, body)

    def step(self) -> bool:
        """Decompress some more; return whether that was all. Raises UnreadableCoding."""
        if not self._rest:
            self._rest = self._body[self._at : self._at + _FED_BYTES]
            self._at += len(self._rest)
        try:
            part = self._decompressor.decompress(self._rest, _STEP_BYTES)
        except zlib.error:
            raise UnreadableCoding(f"the body is not {self._coding}, which its Content-Encoding is") from None
        self._parts.append(part)
        self.size += len(part)
        if self._decompressor.eof:
            return self._ended()
        self._rest = self._decompressor.unconsumed_tail
        if not (self._rest or part) and self._at >= len(self._body):
            raise UnreadableCoding(f"the {self._coding} body is cut off")
        return False

    def _ended(self) -> bool:
        self._rest = self._decompressor.unused_data
        if not self._rest and self._at >= len(self._body):
            return True
        self._members += 1
        if self._coding != "gzip" or self._members > _MAX_MEMBERS:
            raise UnreadableCoding(f"something follows the end of the {self._coding} body")
        self._decompressor = zlib.decompressobj(self._bits)
        return False

    def result(self) -> bytes:
        """Return the decompressed body."""
        return b"".join(self._parts)


def _deflate_bits(body: bytes) -> int:
    """Return how to read `deflate`: it means zlib's format, and some send it without zlib's two bytes."""
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _ZLIB_BITS if has_header else _RAW_BITS


def compress(body: bytes) -> bytes:
    """Return a body as gzip, made as fast as possible."""
    return zlib.compress(body, _FASTEST, wbits=_GZIP_BITS)


@lru_cache(maxsize=64)
def takes_gzip(accepted: bytes) -> bool:
    """Return whether an Accept-Encoding in lower case allows gzip; a weight of its own beats that of `*`."""
    weights = {name: _weight(quality) for name, quality in _GZIP.findall(accepted)}
    return weights.get(b"gzip", weights.get(b"x-gzip", weights.get(b"*", 0.0))) > 0


def _weight(quality: bytes) -> float:
    try:
        return float(quality) if quality else 1.0
    except ValueError:
        return 0.0

"""Sources of cached outputs: which replicas may have answered what is kept. No I/O, no clock.

A source is a small number, made of a replica's instance id. Outputs are counted in buckets, by the hashes of
their keys; a bucket whose outputs came from several sources only knows that. So a source is never missed, and
some outputs of others pass for its own: of two equally busy replicas about a fifth.
"""

from __future__ import annotations

from array import array
from typing import Final
from zlib import crc32

#: The source of outputs that may be anybody's.
ANY_SOURCE: Final = 0xFFFF
_MAX_COUNT: Final = 0xFF


def source_of(instance_id: str) -> int:
    """Return the source that a replica is; two in tens of thousands may be the same one."""
    return crc32(instance_id.encode()) % ANY_SOURCE


class Sources:
    """The sources of all outputs in a cache, in so many buckets of 3 bytes each."""

    __slots__ = ("_count", "_counts", "_sources")

    def __init__(self, count: int) -> None:
        self._count = count
        self._sources = array("H", bytes(2 * count))
        self._counts = bytearray(count)

    def add(self, key: bytes, source: int) -> None:
        """Note where the output of a key came from."""
        bucket = hash(key) % self._count
        count = self._counts[bucket]
        if not count:
            self._sources[bucket] = source
        elif self._sources[bucket] != source:
            self._sources[bucket] = ANY_SOURCE
        if count < _MAX_COUNT:
            self._counts[bucket] = count + 1

    def remove(self, key: bytes) -> None:
        """Forget an output; a bucket that could not count all of its outputs keeps its source."""
        bucket = hash(key) % self._count
        count = self._counts[bucket]
        if count < _MAX_COUNT:
            self._counts[bucket] = count - 1

    def may_be(self, key: bytes, sources: frozenset[int]) -> bool:
        """Return whether the output of a key may have come from one of these sources."""
        source = self._sources[hash(key) % self._count]
        return source == ANY_SOURCE or source in sources

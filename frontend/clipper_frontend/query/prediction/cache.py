"""The prediction cache: outputs by model version and input, bounded in bytes. No I/O, no clock.

The least recently used entry is evicted first. An entry may have an end, after which it is not given any
more; entries without one pay nothing for that. A long input is kept as a digest, so that the size of an
entry does not depend on it.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from clipper_frontend.query.prediction.sources import ANY_SOURCE, Sources

#: Per-entry overhead beside key and output: two object headers, a node and slots in the ordered dictionary,
#: and buckets of its source (measured in tests/unit/query/prediction/test_cache.py).
ENTRY_OVERHEAD_BYTES = 297
#: There is a bucket of sources for so many bytes of the cache: two for a small entry.
_BYTES_PER_BUCKET = 160
#: The overhead of an end: a number, and a slot in a dictionary.
END_OVERHEAD_BYTES = 110

_MAX_PLAIN_INPUT_BYTES = 256
_DIGEST_BYTES = 16


def cache_key(prefix: bytes, payload: bytes) -> bytes:
    """Return the key of an input; `prefix` identifies the registration of the model version."""
    if len(payload) <= _MAX_PLAIN_INPUT_BYTES:
        return prefix + payload
    return prefix + blake2b(payload, digest_size=_DIGEST_BYTES).digest()


class PredictionCache:
    """Outputs by key. A bound of 0 bytes turns the cache off."""

    __slots__ = ("_ends", "_entries", "_max_bytes", "_sources", "used_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._entries: OrderedDict[bytes, bytes] = OrderedDict()
        #: When entries end, by key, for those that do.
        self._ends: dict[bytes, float] = {}
        self._max_bytes = max_bytes
        self._sources = Sources(max_bytes // _BYTES_PER_BUCKET + 1)
        self.used_bytes = 0

    @property
    def enabled(self) -> bool:
        """Return whether the cache keeps anything at all."""
        return self._max_bytes > 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> bytes | None:
        """Return the output of a key and mark it as used, or None."""
        output = self._entries.get(key)
        if output is not None:
            self._entries.move_to_end(key)
        return output

    def get_fresh(self, key: bytes, now: float) -> bytes | None:
        """Return the output of a key as get() does, but not after its end: then the entry is removed."""
        ends_at = self._ends.get(key)
        if ends_at is not None and ends_at <= now:
            self._removed(key, self._entries.pop(key))
            return None
        return self.get(key)

    def put(self, key: bytes, output: bytes, ends_at: float | None = None, source: int = ANY_SOURCE) -> None:
        """Keep an output, until its end if it has one, unless it is larger than the whole cache."""
        entries = self._entries
        size = len(key) + len(output) + ENTRY_OVERHEAD_BYTES
        replaced = entries.pop(key, None)
        if replaced is not None:
            self._removed(key, replaced)
        if ends_at is not None:
            size += END_OVERHEAD_BYTES
        if size > self._max_bytes:
            return
        entries[key] = output
        self._sources.add(key, source)
        if ends_at is not None:
            self._ends[key] = ends_at
        self.used_bytes += size
        while self.used_bytes > self._max_bytes:
            self._removed(*entries.popitem(last=False))

    def purge(self, prefix: bytes, sources: frozenset[int]) -> None:
        """Drop the outputs of keys with this prefix that may have come from one of these sources."""
        may_be = self._sources.may_be
        for key in [key for key in self._entries if key.startswith(prefix) and may_be(key, sources)]:
            self._removed(key, self._entries.pop(key))

    def _removed(self, key: bytes, output: bytes) -> None:
        """Count an entry that was removed as free, and forget its end and its source."""
        self._sources.remove(key)
        self.used_bytes -= len(key) + len(output) + ENTRY_OVERHEAD_BYTES
        if self._ends and self._ends.pop(key, None) is not None:
            self.used_bytes -= END_OVERHEAD_BYTES

"""The reading of hashes in Redis, field by field; errors name the key and the field."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias, TypeVar

from clipper_frontend.errors import UnreadableRecord

logger = logging.getLogger("clipper.registry")

Hash: TypeAlias = Mapping[str, str]
_T = TypeVar("_T")


def read_record(read: Callable[[], _T | None]) -> _T | None:
    """Return the result of `read`, or None, with a warning in the log, if the record is unreadable."""
    try:
        return read()
    except UnreadableRecord as exc:
        logger.warning("could not read a record in Redis, ignoring it: %s", exc)
        return None


class HashReader:
    """Reads the fields of one hash; its errors name hash and field."""

    def __init__(self, key: str, values: Hash) -> None:
        self._key = key
        self._values = values

    def text(self, name: str, *, absent: str | None = None) -> str:
        return self.read(name, str, absent=absent)

    def read(self, name: str, parse: Callable[[str], _T], *, absent: _T | None = None) -> _T:
        value = self._values.get(name)
        if value is not None:
            return self.parse(name, value, parse)
        if absent is None:
            raise UnreadableRecord(self._key, name, "is missing")
        return absent

    def parse(self, name: str, value: str, parse: Callable[[str], _T]) -> _T:
        try:
            return parse(value)
        except ValueError as exc:
            raise UnreadableRecord(self._key, name, f"cannot be read: {exc}") from exc

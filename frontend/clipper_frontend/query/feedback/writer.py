"""Brings what feedback adds to Redis, in batches: what comes while one is written makes the next.

Owns that each addition is written once or never, and that it is known which: a batch that Redis gave no
answer to is settled before the next one is written.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.selection import Addition, StateKey
from clipper_frontend.registry.store import Store
from clipper_frontend.selection import state
from clipper_frontend.selection.state import Increments
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query.feedback")

#: A script with so many additions takes Redis some milliseconds.
_MOST_PER_BATCH: Final = 1000
#: More than this waits only where Redis does not answer.
_MOST_WAITING: Final = 20_000
_RETRY_INTERVAL_S: Final = 0.5


class Written(Protocol):
    """Who is told what became of additions."""

    def settled(self, written: bool) -> None:
        """Take that they are in Redis, or will never be. It is called once."""

    def delayed(self) -> None:
        """Take that Redis gave no answer: settled() comes when it does."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    additions: Sequence[Addition]
    who: Written


class FeedbackWriter:
    """Writes from start() to close(). `wrote` is called once additions are in Redis.

    `most_users` bounds the users of one application who have state of their own.
    """

    def __init__(self, store: Store, most_users: int, wrote: Callable[[], None]) -> None:
        self._store = store
        self._most_users = most_users
        self._wrote = wrote
        self._waiting: list[_Waiting] = []
        self._batch: Sequence[_Waiting] = ()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: Redis gave no answer, and what became of a batch is not known yet.
        self._away = False

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="feedback")

    def add(self, additions: Sequence[Addition], who: Written) -> None:
        """Write some additions with the next batch, all or none; where Redis is away none at once."""
        if self._away or len(self._waiting) >= _MOST_WAITING:
            who.settled(written=False)
            return
        self._waiting.append(_Waiting(additions, who))
        self._changed.set()

    async def close(self) -> None:
        """Stop writing. Of the batch on its way nobody here learns any more what became of it."""
        if self._task is None:
            return
        await end_task(self._task)
        self._task = None
        for one in self._batch:
            one.who.delayed()
        self._refuse_waiting()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._batch = self._waiting[:_MOST_PER_BATCH]
            del self._waiting[:_MOST_PER_BATCH]
            if not self._waiting:
                self._changed.clear()
            if not self._batch:
                continue
            written = await self._write(self._batch)
            batch, self._batch = self._batch, ()
            for one in batch:
                one.who.settled(written)
            if written:
                self._wrote()

    async def _write(self, batch: Sequence[_Waiting]) -> bool:
        """Write a batch and return whether it is in Redis."""
        token = secrets.token_hex()
        try:
            return await self._store.add_increments(token, _summed(batch), self._most_users)
        except RegistryUnavailable as exc:
            logger.warning("feedback is refused: %s", exc)
        self._away = True
        for one in batch:
            one.who.delayed()
        self._refuse_waiting()
        written = await self._settle(token)
        self._away = False
        return written

    async def _settle(self, token: str) -> bool:
        while True:
            try:
                return await self._store.settle_increments(token)
            except RegistryUnavailable:
                await asyncio.sleep(_RETRY_INTERVAL_S)

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.who.settled(written=False)


def _summed(batch: Sequence[_Waiting]) -> list[Addition]:
    """Return the additions of a batch with one for each bucket of each state."""
    ends: dict[tuple[StateKey, int], int | None] = {}
    sums: dict[tuple[StateKey, int], Increments] = {}
    for one in batch:
        for key, bucket, expires_at, increments in one.additions:
            where = (key, bucket)
            ends[where] = expires_at
            state.add(sums.setdefault(where, {}), increments)
    return [Addition(key, bucket, ends[key, bucket], added) for (key, bucket), added in sums.items()]

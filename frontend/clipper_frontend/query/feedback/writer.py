"""The writer of feedback to Redis, in batches: additions that arrive during a write form the next batch.

Each addition is written once or never, and its listener is notified of it: if Redis gives no answer to a
batch, that batch is settled before the next one is written.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.registry.selection import OUTCOME_LIFETIME_S, Addition, StateKey
from clipper_frontend.registry.store import Store
from clipper_frontend.selection import state
from clipper_frontend.selection.state import Increments
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query.feedback")

#: Redis runs a script with this many additions in some milliseconds.
_MAX_PER_BATCH: Final = 1000
#: More than this waits only if Redis does not answer.
_MAX_WAITING: Final = 20_000
_RETRY_INTERVAL_S: Final = 0.5
#: For as long, with a day to spare, Redis knows what became of a batch.
SETTLE_LIMIT_S: Final = OUTCOME_LIFETIME_S - 24 * 3600


class WriteListener(Protocol):
    """The receiver of the outcome of some additions."""

    def settled(self, written: bool) -> None:
        """Note that they are in Redis, or never will be. Called once."""

    def delayed(self) -> None:
        """Note that Redis gave no answer: settled() follows when it does."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    additions: Sequence[Addition]
    listener: WriteListener


class FeedbackWriter:
    """Writes from start() to close(), and calls `wrote` after each batch that is in Redis.

    `max_users` bounds the users of one application who have a state of their own.
    """

    def __init__(self, store: Store, max_users: int, wrote: Callable[[], None]) -> None:
        self._store = store
        self._most_users = max_users
        self._wrote = wrote
        self._id = secrets.token_hex(16)
        self._sequence = 0
        self._waiting: list[_Waiting] = []
        self._batch: Sequence[_Waiting] = ()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        #: Whether Redis gave no answer to a batch, whose outcome is not known yet.
        self._away = False

    def start(self) -> None:
        """Start writing."""
        self._task = asyncio.create_task(self._run(), name="feedback")

    def add(self, additions: Sequence[Addition], listener: WriteListener) -> None:
        """Write all or none of these additions with the next batch; none if Redis is away."""
        if self._away or len(self._waiting) >= _MAX_WAITING:
            listener.settled(written=False)
            return
        self._waiting.append(_Waiting(additions, listener))
        self._changed.set()

    async def close(self) -> None:
        """Stop writing. The outcome of a batch in flight stays unknown here."""
        if self._task is None:
            return
        await end_task(self._task)
        self._task = None
        for one in self._batch:
            one.listener.delayed()
        self._refuse_waiting()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._batch = self._waiting[:_MAX_PER_BATCH]
            del self._waiting[:_MAX_PER_BATCH]
            if not self._waiting:
                self._changed.clear()
            if not self._batch:
                continue
            written = await self._write(self._batch)
            batch, self._batch = self._batch, ()
            for one in batch:
                one.listener.settled(written)
            if written:
                self._wrote()

    async def _write(self, batch: Sequence[_Waiting]) -> bool:
        """Write a batch and return whether it is in Redis."""
        self._sequence += 1
        began_s = time.monotonic()
        try:
            return await self._store.add_increments(
                self._id, _summed(batch), self._most_users, sequence=self._sequence
            )
        except RegistryUnavailable as exc:
            logger.warning("could not write feedback, refusing it until Redis answers: %s", exc)
        self._away = True
        for one in batch:
            one.listener.delayed()
        self._refuse_waiting()
        written = await self._settle(began_s + SETTLE_LIMIT_S)
        self._away = False
        return written

    async def _settle(self, until_s: float) -> bool:
        """Return what became of the last batch; after `until_s` take it for written: none counts twice."""
        while time.monotonic() < until_s:
            try:
                return await self._store.settle_increments(self._id, sequence=self._sequence)
            except RegistryUnavailable:
                await asyncio.sleep(_RETRY_INTERVAL_S)
        logger.error(
            "gave up %d feedbacks: Redis could not be asked for too long whether it has them; they count "
            "at most once",
            len(self._batch),
        )
        return True

    def _refuse_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.listener.settled(written=False)


def _summed(batch: Sequence[_Waiting]) -> list[Addition]:
    """Return the sums of a batch: one addition for each bucket of each state."""
    ends: dict[tuple[StateKey, int], int | None] = {}
    sums: dict[tuple[StateKey, int], Increments] = {}
    for one in batch:
        for key, bucket, expires_at, increments in one.additions:
            where = (key, bucket)
            ends[where] = expires_at
            state.add(sums.setdefault(where, {}), increments)
    return [Addition(key, bucket, ends[key, bucket], added) for (key, bucket), added in sums.items()]

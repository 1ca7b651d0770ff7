"""The feedback loop of one query frontend: its parts put together, started and stopped.

update call -> UpdateHandler (updates.py) -> FeedbackWriter (writer.py) -> Redis -> PolicyLearners
                 |    ^                                                               (learners.py)
                 |    +- FeedbackMemory (memory.py; it explains how feedback counts once)
                 +- Handover (handover.py), if another frontend gave the answer
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from clipper_frontend.query.feedback.guesses import Guesses
from clipper_frontend.query.feedback.handover import Handover
from clipper_frontend.query.feedback.learners import PolicyLearners
from clipper_frontend.query.feedback.memory import FeedbackMemory
from clipper_frontend.query.feedback.updates import Collaborators, UpdateHandler
from clipper_frontend.query.feedback.writer import FeedbackWriter
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.query_ids import QueryIds, number_of
from clipper_frontend.query.serving.selecting import Selecting
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.contract import Outputs, Selection


@dataclass(frozen=True)
class FeedbackLimits:
    """The bounds of the memory for feedback: bytes, seconds, and users of one application."""

    memory_bytes: int = 64 * 1024 * 1024
    lifetime_s: float = 3600.0
    max_users: int = 10_000


class FeedbackLoop:
    """The learners and the handler of update calls, from start() to close()."""

    def __init__(self, store: Store, limits: FeedbackLimits) -> None:
        self._store = store
        self._limits = limits
        self._memory = FeedbackMemory(limits.memory_bytes, limits.lifetime_s, time.monotonic)
        self.learners = PolicyLearners(store, self._memory, limits.max_users)
        self._writer = FeedbackWriter(store, limits.max_users, self.learners.wake)
        self._handover = Handover()
        self.guesses = Guesses(time.monotonic)

    def handler(self, selecting: Selecting, mirror: Mirror, query_ids: QueryIds) -> UpdateHandler:
        """Return the handler of update calls."""
        origins, outputs = _Origins(mirror, query_ids), _Outputs(selecting)
        return UpdateHandler(
            Collaborators(
                self.learners, self._memory, self._writer, self._handover, origins, outputs, self.guesses
            )
        )

    def start(self) -> None:
        """Start learning, once Redis is there."""
        self.learners.start()
        self._writer.start()

    async def close(self) -> None:
        """Stop; feedback that is not written yet is answered with a 503."""
        await self._handover.close()
        await self._writer.close()
        await self.learners.close()


class _Origins:
    """The query frontends that gave the answers, by the number that a query id begins with."""

    def __init__(self, mirror: Mirror, query_ids: QueryIds) -> None:
        self._mirror = mirror
        self._query_ids = query_ids

    def is_own(self, query_id: int) -> bool:
        return number_of(query_id) in self._query_ids.numbers

    def was_issued(self, query_id: int) -> bool:
        return self._query_ids.was_issued(query_id)

    def admin_address(self, query_id: int) -> str | None:
        frontend = self._mirror.frontends_by_number.get(number_of(query_id))
        return frontend.address_for_peers or None if frontend is not None else None


class _Outputs:
    """The outputs of models for the input of feedback without a query id."""

    def __init__(self, selecting: Selecting) -> None:
        self._selecting = selecting

    def gather(
        self, application: Application, selection: Selection, payload: bytes, done: Callable[[Outputs], None]
    ) -> None:
        """Gather the outputs of shadows too, since feedback measures them."""
        everyone = selection.asked + selection.shadows
        wanted = replace(selection, asked=everyone, shadows=(), only=None)
        self._selecting.collect(application, wanted, payload, time.monotonic(), done)

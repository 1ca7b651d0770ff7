"""All that feedback goes through on this frontend, put together: how it starts and stops.

Owns who answered a query (by its id), and where outputs come from that feedback in Clipper's form needs. What
becomes of feedback is decided in `updates`, what is learnt from it in `learners`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from clipper_frontend.query.feedback.handover import Handover
from clipper_frontend.query.feedback.learners import PolicyLearners
from clipper_frontend.query.feedback.memory import FeedbackMemory
from clipper_frontend.query.feedback.updates import Parts, UpdateHandler
from clipper_frontend.query.feedback.writer import FeedbackWriter
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.query_ids import QueryIds, number_of
from clipper_frontend.query.serving.selecting import Selecting
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.contract import Outputs, Selection


@dataclass(frozen=True)
class FeedbackLimits:
    """How much is remembered for feedback: in bytes, in seconds, and users of one application."""

    memory_bytes: int = 64 * 1024 * 1024
    lifetime_s: float = 3600.0
    most_users: int = 10_000


class FeedbackLoop:
    """What learns (`learners`) and what answers update calls (`handler`), from start() to close()."""

    def __init__(self, store: Store, limits: FeedbackLimits) -> None:
        self._store = store
        self._limits = limits
        self._memory = FeedbackMemory(limits.memory_bytes, limits.lifetime_s, time.monotonic)
        self.learners = PolicyLearners(store, self._memory, limits.most_users)
        self._writer = FeedbackWriter(store, limits.most_users, self.learners.wake)
        self._handover = Handover()

    def handler(self, selecting: Selecting, mirror: Mirror, query_ids: QueryIds) -> UpdateHandler:
        """Return what answers update calls."""
        origins, outputs = _Origins(mirror, query_ids), _Outputs(selecting)
        return UpdateHandler(
            Parts(self.learners, self._memory, self._writer, self._handover, origins, outputs)
        )

    def start(self) -> None:
        """Begin to learn, once there is a Redis."""
        self.learners.start()
        self._writer.start()

    async def close(self) -> None:
        """End what is on its way; the rest is not acknowledged."""
        await self._handover.close()
        await self._writer.close()
        await self.learners.close()


class _Origins:
    """Which query frontend answered a query, by the number that its id begins with."""

    def __init__(self, mirror: Mirror, query_ids: QueryIds) -> None:
        self._mirror = mirror
        self._query_ids = query_ids

    def is_own(self, query_id: int) -> bool:
        return number_of(query_id) in self._query_ids.numbers

    def admin_address(self, query_id: int) -> str | None:
        frontend = self._mirror.frontends_by_number.get(number_of(query_id))
        return frontend.admin_address or None if frontend is not None else None


class _Outputs:
    """The outputs of models for an input that no query is known of."""

    def __init__(self, selecting: Selecting) -> None:
        self._selecting = selecting

    def gather(
        self, application: Application, selection: Selection, payload: bytes, done: Callable[[Outputs], None]
    ) -> None:
        """Have shadows answered too: feedback measures them."""
        everyone = selection.asked + selection.shadows
        wanted = replace(selection, asked=everyone, shadows=(), only=None)
        self._selecting.collect(application, wanted, payload, time.monotonic(), done)

"""Queries whose models a policy selects: of one, and of several whose outputs are gathered.

Owns what a query of several knows of its parts: which outputs have come, which will not, and whether it still
waits. What is answered then is decided in `serving`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from clipper_frontend.query.bodies.answers import NO_MODELS_MEMBER, DefaultReason, combined_members
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.query import Answering, Query, Reply
from clipper_frontend.selection.contract import Outputs, Selection

#: What a policy selected for a query, and the user whom the query is for. One is made for every query: plain.
Chosen: TypeAlias = tuple[Selection, str | None]


class Selected(Query):
    """A query for which the application's policy selected one model."""

    __slots__ = ("selection", "user")

    default_members = NO_MODELS_MEMBER

    def __init__(
        self,
        answering: Answering,
        application: Application,
        target: ServedVersion | None,
        query_id: int,
        arrived_at: float,
        reply: Reply,
        chosen: Chosen,
    ) -> None:
        # As Query does it, without the call: this is done for every query.
        self.answering = answering
        self.application = application
        self.target = target
        self.query_id = query_id
        self.arrived_at = arrived_at
        self.deadline = arrived_at + application.limit_s
        self.reply = reply
        self.tick = 0
        self.selection, self.user = chosen

    def take(self, output: bytes, now: float) -> None:
        """Be answered, and remember it."""
        self.answering.answer(self, output, now)
        self.remember(output)

    def remember_default(self) -> None:
        """Keep that none of the models answered."""
        self.remember(None)

    def remember(self, outputs: Outputs | bytes | None) -> None:
        """Keep what the query was answered with, by one or by several, where the application learns."""
        learner = self.application.learner
        if learner is not None:
            learner.remember(self.query_id, self.user, self.selection, outputs)


class Outcome(NamedTuple):
    """What a query of several models is answered with: an output, or the reason why there is none.

    `members` is what the answer says of the models.
    """

    output: bytes | None
    members: bytes
    reason: DefaultReason | None = None
    detail: str | None = None


class Gathering(Selected):
    """A query of several models: it waits for those that are asked, never for those that watch.

    `complete` is called once, with the query and the time: when nothing more is waited for.
    """

    __slots__ = ("_complete", "_failure", "_pending", "outputs")

    def __init__(
        self,
        answering: Answering,
        application: Application,
        query_id: int,
        arrived_at: float,
        reply: Reply,
        chosen: Chosen,
        complete: Callable[[Gathering, float], None],
    ) -> None:
        super().__init__(answering, application, None, query_id, arrived_at, reply, chosen)
        self.outputs: Outputs = {}
        self._complete = complete
        self._pending = len(self.selection.asked)
        self._failure: tuple[DefaultReason, str | None] | None = None

    def expire(self, now: float) -> None:
        """Wait no longer."""
        self._complete(self, now)

    def remember_default(self) -> None:
        """Keep what came, though it made no answer."""
        self.remember(self.outputs)

    def arm_missed(self, index: int, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Learn that an arm will give no output."""
        if self._failure is None and index in self.selection.asked:
            self._failure = reason, detail
        self.arm_gave(index, None, now)

    def arm_gave(self, index: int, output: bytes | None, now: float) -> None:
        """Take what an arm gave; the last one that is waited for completes the query."""
        if index not in self.selection.asked:
            self.outputs[index] = output
        elif self.deadline >= 0:
            self.outputs[index] = output
            self._pending -= 1
            if not self._pending:
                self._complete(self, now)

    def outcome(self) -> Outcome:
        """Make one answer of what has come; what has not is missing from now on."""
        asked, outputs = self.selection.asked, self.outputs
        for index in asked:
            if outputs.setdefault(index, None) is None:
                self.application.arms[index].missing += 1
        only = self.selection.only
        if only is not None:
            output, target = outputs[only], self.application.targets[only]
            if output is not None and target is not None:
                return Outcome(output, target.models_member)
            return Outcome(None, NO_MODELS_MEMBER, *self._why_nothing_came())
        return self._combined([outputs[index] for index in asked])

    def _combined(self, outputs: list[bytes | None]) -> Outcome:
        if not any(output is not None for output in outputs):
            return Outcome(None, self._members(0.0), *self._why_nothing_came())
        policy = self.application.policy
        assert policy is not None
        combined = policy.combine(self.selection, outputs)
        reason = None if combined.reason is None else DefaultReason(combined.reason)
        return Outcome(combined.output, self._members(combined.confidence), reason, combined.detail)

    def _members(self, confidence: float) -> bytes:
        application, asked = self.application, self.selection.asked
        took_part = [
            target.label
            for index in asked
            if self.outputs[index] is not None and (target := application.targets[index]) is not None
        ]
        missing = [application.arm_names[index] for index in asked if self.outputs[index] is None]
        return combined_members(took_part, confidence, missing)

    def _why_nothing_came(self) -> tuple[DefaultReason, str | None]:
        if self._failure is not None:
            return self._failure
        targets = [self.application.targets[index] for index in self.selection.asked]
        has_replica = any(target is not None and target.replicas for target in targets)
        return (DefaultReason.TIMEOUT if has_replica else DefaultReason.NO_REPLICA), None


class Part:
    """One arm's part in a query of several: it waits for that arm's prediction."""

    __slots__ = ("_gathering", "_index", "deadline")

    def __init__(self, gathering: Gathering, index: int) -> None:
        self.deadline = gathering.arrived_at + gathering.application.limit_s
        self._gathering = gathering
        self._index = index

    def take(self, output: bytes, now: float) -> None:
        """Take the model's output."""
        self.deadline = -1.0
        self._gathering.arm_gave(self._index, output, now)

    def miss(self, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Learn that the model gives none."""
        self.deadline = -1.0
        self._gathering.arm_missed(self._index, reason, detail, now)

"""Queries whose models a policy selected: one model, or several whose outputs are gathered. No I/O, no clock.

A gathering keeps which outputs have come, which will not come, and whether it still waits. When it is
complete, `selecting` answers it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from clipper_frontend.query.bodies.answers import NO_MODELS_MEMBER, DefaultReason, combined_members
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.query import Answering, Query, Reply
from clipper_frontend.selection.contract import Outputs, Selection

#: A policy's selection for a query, and the query's user. A tuple, because one is made for every query.
UserSelection: TypeAlias = tuple[Selection, str | None]


class SelectedQuery(Query):
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
        selected: UserSelection,
    ) -> None:
        # As in Query, without the call: this runs for every query.
        self.answering = answering
        self.application = application
        self.target = target
        self.query_id = query_id
        self.arrived_at = arrived_at
        self.deadline = arrived_at + application.limit_s
        self.reply = reply
        self.tick = 0
        self.selection, self.user = selected

    def take(self, output: bytes, now: float) -> None:
        """Be answered, and remember the output for feedback."""
        self.answering.answer(self, output, now)
        self.remember(output)

    def remember_default(self) -> None:
        """Remember that no model answered."""
        self.remember(None)

    def remember(self, outputs: Outputs | bytes | None) -> None:
        """Remember the output of one model or of several for feedback, if the application learns."""
        learner = self.application.learner
        if learner is not None:
            learner.remember(self.query_id, self.user, self.selection, outputs)


class Outcome(NamedTuple):
    """The answer to a query of several models: an output, or the reason why there is none.

    `members` are the answer's JSON members about the models.
    """

    output: bytes | None
    members: bytes
    reason: DefaultReason | None = None
    detail: str | None = None


class Gathering(SelectedQuery):
    """A query of several models. It waits for the arms that were asked, never for shadows.

    `complete` is called once, with the gathering and the time, when it waits for nothing more.
    """

    __slots__ = ("_complete", "_failure", "_pending", "abandoned", "outputs")

    def __init__(
        self,
        answering: Answering,
        application: Application,
        query_id: int,
        arrived_at: float,
        reply: Reply,
        selected: UserSelection,
        complete: Callable[[Gathering, float], None],
    ) -> None:
        super().__init__(answering, application, None, query_id, arrived_at, reply, selected)
        self.outputs: Outputs = {}
        self.abandoned = False
        self._complete = complete
        self._pending = len(self.selection.asked)
        self._failure: tuple[DefaultReason, str | None] | None = None

    def expire(self, now: float) -> None:
        """Complete with the outputs that have come."""
        self._complete(self, now)

    def abandon(self) -> None:
        """Give up: the client has gone. Shadows are not waited for either."""
        if self.deadline >= 0:
            self.abandoned = True
            self.answering.abandon(self, self.application.targets)

    def remember_default(self) -> None:
        """Remember the outputs that came, although they made no answer."""
        self.remember(self.outputs)

    def arm_missed(self, index: int, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Record that an arm gives no output, and why."""
        if self._failure is None and index in self.selection.asked:
            self._failure = reason, detail
        self.arm_gave(index, None, now)

    def arm_gave(self, index: int, output: bytes | None, now: float) -> None:
        """Record an arm's output; the last asked arm completes the query."""
        if index not in self.selection.asked:
            self.outputs[index] = output
        elif self.deadline >= 0:
            self.outputs[index] = output
            self._pending -= 1
            if not self._pending:
                self._complete(self, now)

    def outcome(self) -> Outcome:
        """Return one answer made of the outputs that have come; the others count as missing from now on."""
        asked, outputs = self.selection.asked, self.outputs
        for index in asked:
            if outputs.setdefault(index, None) is None:
                self.application.arm_statistics[index].missing += 1
        only = self.selection.only
        if only is not None:
            output, target = outputs[only], self.application.targets[only]
            if output is not None and target is not None:
                return Outcome(output, target.models_member)
            return Outcome(None, NO_MODELS_MEMBER, *self._reason_for_no_output())
        return self._combined([outputs[index] for index in asked])

    def _combined(self, outputs: list[bytes | None]) -> Outcome:
        if not any(output is not None for output in outputs):
            return Outcome(None, self._members(0.0), *self._reason_for_no_output())
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

    def _reason_for_no_output(self) -> tuple[DefaultReason, str | None]:
        if self._failure is not None:
            return self._failure
        targets = [self.application.targets[index] for index in self.selection.asked]
        has_replica = any(target is not None and target.replicas for target in targets)
        return (DefaultReason.TIMEOUT if has_replica else DefaultReason.NO_REPLICA), None


class ArmWaiter:
    """The waiter of one arm's prediction in a gathering."""

    __slots__ = ("_gathering", "_index", "deadline")

    def __init__(self, gathering: Gathering, index: int) -> None:
        self.deadline = gathering.arrived_at + gathering.application.limit_s
        self._gathering = gathering
        self._index = index

    def waits(self) -> bool:
        """Return whether the model's output is still wanted."""
        return self.deadline >= 0 and not self._gathering.abandoned

    def take(self, output: bytes, now: float) -> None:
        """Record the model's output."""
        self.deadline = -1.0
        self._gathering.arm_gave(self._index, output, now)

    def miss(self, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Record that the model gives no output."""
        self.deadline = -1.0
        self._gathering.arm_missed(self._index, reason, detail, now)

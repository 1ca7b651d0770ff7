"""Queries: one input that an application wants answered by a deadline.

Owns what a query is told (an output, a miss, its deadline); how it is then answered is `serving`'s.
"""

from __future__ import annotations

from typing import Protocol

from clipper_frontend.query.bodies.answers import DefaultReason
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.serving.application import Application


class Answering(Protocol):
    """What answers queries."""

    def answer(self, query: Query, output: bytes, now: float) -> None: ...

    def answer_default(
        self, query: Query, reason: DefaultReason, detail: str | None, now: float, members: bytes = b""
    ) -> None: ...


class Reply(Protocol):
    """Where the answer to one input of a request goes."""

    def respond(self, status: int, body: bytes) -> None:
        """Take the answer, once."""


class Query:
    """One input that an application wants answered by `deadline`, in seconds of the monotonic clock.

    `target` is the model version that is asked, None where the application has none. A deadline below 0 says
    that it was answered.
    """

    __slots__ = ("answering", "application", "arrived_at", "deadline", "query_id", "reply", "target", "tick")

    #: What an answer without a prediction says of the models.
    default_members = b""

    def __init__(
        self,
        answering: Answering,
        application: Application,
        target: ServedVersion | None,
        query_id: int,
        arrived_at: float,
        deadline: float,
        reply: Reply,
    ) -> None:
        self.answering = answering
        self.application = application
        self.target = target
        self.query_id = query_id
        self.arrived_at = arrived_at
        self.deadline = deadline
        self.reply = reply
        #: Where `deadlines` keeps it; 0 while it is nowhere.
        self.tick = 0

    def take(self, output: bytes, now: float) -> None:
        """Be answered with its model's output."""
        self.answering.answer(self, output, now)

    def miss(self, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Be answered without a prediction."""
        self.answering.answer_default(self, reason, detail, now)

    def expire(self, now: float) -> None:
        """Be answered at its deadline."""
        no_replica = self.target is not None and not self.target.replicas
        reason = DefaultReason.NO_REPLICA if no_replica else DefaultReason.TIMEOUT
        self.answering.answer_default(self, reason, None, now)

    def remember_default(self) -> None:
        """Keep for feedback that it was answered without a prediction, if a policy selected its models."""

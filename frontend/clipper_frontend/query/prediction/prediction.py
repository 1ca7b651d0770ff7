"""Queries and predictions: what an application waits for and what a model is asked.

A query is one input of a request and belongs to one application. A prediction is one input for one model
version; several queries with the same input share it. Both are plain objects: who answers them is decided in
`serving`, when they are sent in `version`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from clipper_frontend.query.prediction.version import ServedVersion
    from clipper_frontend.query.serving.application import Application


class Reply(Protocol):
    """Where the answer to one input of a request goes."""

    def respond(self, status: int, body: bytes) -> None:
        """Take the answer, once."""


class Query:
    """One input that an application wants answered by `deadline`, in seconds of the monotonic clock.

    `target` is the model version that is asked, None where the application has none. A deadline below 0 says
    that it was answered.

    The queries of policies are subclasses: `is_selected` where it is known which models one asks, `is_part`
    where it is the part of one model in a query of several.
    """

    __slots__ = ("application", "arrived_at", "deadline", "query_id", "reply", "target", "tick")

    is_selected = False
    is_part = False

    def __init__(
        self,
        application: Application,
        target: ServedVersion | None,
        query_id: int,
        arrived_at: float,
        deadline: float,
        reply: Reply,
    ) -> None:
        self.application = application
        self.target = target
        self.query_id = query_id
        self.arrived_at = arrived_at
        self.deadline = deadline
        self.reply = reply
        #: Where `deadlines` keeps it; 0 while it is nowhere.
        self.tick = 0


class Prediction:
    """One input for one model version, and the queries that wait for its output.

    `payload` is the input as the model gets it. `order_by` is the deadline that placed it in the queue,
    `deadline` the latest one of all that wait. `sends` counts how often it was sent.
    """

    __slots__ = ("deadline", "key", "order_by", "payload", "sends", "waiters")

    def __init__(self, key: bytes | None, payload: bytes, deadline: float, query: Query) -> None:
        self.key = key
        self.payload = payload
        self.order_by = deadline
        self.deadline = deadline
        self.waiters = [query]
        self.sends = 0

    def join(self, query: Query, deadline: float) -> None:
        """Let another query with the same input wait too."""
        self.waiters.append(query)
        self.deadline = max(self.deadline, deadline)

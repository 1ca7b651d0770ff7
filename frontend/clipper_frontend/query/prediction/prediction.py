"""Predictions: what a model version is asked, and who waits for it. Knows no application and no query."""

from __future__ import annotations

from typing import Protocol

from clipper_frontend.query.bodies.answers import DefaultReason


class Waiter(Protocol):
    """Someone who waits for a prediction until `deadline`; below 0 it no longer waits."""

    deadline: float

    def take(self, output: bytes, now: float) -> None:
        """Take the output, as JSON."""

    def miss(self, reason: DefaultReason, detail: str | None, now: float) -> None:
        """Learn that there will be none."""


class Prediction:
    """One input for one model version, and the queries that wait for its output.

    `payload` is the input as the model gets it. `order_by` is the deadline that placed it in the queue,
    `deadline` the latest one of all that wait. `sends` counts how often it was sent.
    """

    __slots__ = ("deadline", "key", "order_by", "payload", "sends", "waiters")

    def __init__(self, key: bytes | None, payload: bytes, deadline: float, waiter: Waiter) -> None:
        self.key = key
        self.payload = payload
        self.order_by = deadline
        self.deadline = deadline
        self.waiters = [waiter]
        self.sends = 0

    def join(self, waiter: Waiter, deadline: float) -> None:
        """Let another query with the same input wait too."""
        self.waiters.append(waiter)
        self.deadline = max(self.deadline, deadline)

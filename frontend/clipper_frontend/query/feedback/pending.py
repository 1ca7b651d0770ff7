"""Feedback on its way: who waits for its outcome, and what each of them is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.feedback.handover import Respond, encode_response
from clipper_frontend.query.feedback.learner import PolicyLearner
from clipper_frontend.query.feedback.memory import Remembered
from clipper_frontend.query.http.exchange import Exchange
from clipper_frontend.registry.selection import Addition

RECEIVED: Final = b"Feedback received? 1"
ACCEPTED: Final = b'{"feedback":"accepted"}'
DUPLICATE: Final = b'{"feedback":"duplicate"}'
NOT_COUNTED: Final = error_body(
    "Feedback not counted", "Redis cannot be written: send the feedback again in a moment"
)
NOT_ACKNOWLEDGED: Final = error_body(
    "Feedback not acknowledged",
    "Redis gives no answer: send the feedback again in a moment; with a query_id it counts once",
)
TEXT: Final = b"text/plain; charset=utf-8"


class PendingFeedback:
    """Feedback by query id on its way to Redis, and the clients that wait for its outcome."""

    __slots__ = ("_additions", "_counted", "_first", "_others", "_query_id", "_remembered")

    def __init__(
        self,
        query_id: int,
        remembered: Remembered,
        additions: list[Addition],
        respond: Respond,
        counted: Callable[[int, Remembered, bool], None],
    ) -> None:
        self._query_id = query_id
        self._remembered = remembered
        self._additions = additions
        self._first: Respond | None = respond
        self._others: list[Respond] = []
        self._counted = counted

    def also(self, respond: Respond) -> None:
        """Add a client that sent the same feedback; it does not wait if Redis gave no answer."""
        if self._first is None:
            respond(503, NOT_ACKNOWLEDGED)
        else:
            self._others.append(respond)

    def settled(self, written: bool) -> None:
        """Note the outcome, and answer the clients that still wait."""
        self._counted(self._query_id, self._remembered, written)
        if written:
            self._remembered.learner.counted(self._additions)
        first, others = self._first, self._others
        if first is not None:
            first(*((200, ACCEPTED) if written else (503, NOT_COUNTED)))
        for respond in others:
            respond(*((200, DUPLICATE) if written else (503, NOT_COUNTED)))

    def delayed(self) -> None:
        """Answer all waiting clients: the outcome is not known yet."""
        if self._first is not None:
            self._first(503, NOT_ACKNOWLEDGED)
            self._first = None
        for respond in self._others:
            respond(503, NOT_ACKNOWLEDGED)
        self._others.clear()


class PendingInput:
    """Feedback in Clipper's form on its way to Redis."""

    __slots__ = ("_additions", "_exchange", "_learner")

    def __init__(self, learner: PolicyLearner, additions: list[Addition], exchange: Exchange) -> None:
        self._learner = learner
        self._additions = additions
        self._exchange = exchange

    def settled(self, written: bool) -> None:
        """Note the outcome, and answer unless delayed() did."""
        if written:
            self._learner.counted(self._additions)
            self._exchange.respond(200, RECEIVED, TEXT)
        else:
            self._exchange.respond(503, NOT_COUNTED)

    def delayed(self) -> None:
        """Answer that the outcome is not known yet."""
        self._exchange.respond(503, NOT_ACKNOWLEDGED)


class BatchResponse:
    """Collects the responses to feedback that was handed over together."""

    def __init__(self, exchange: Exchange, count: int) -> None:
        self._exchange = exchange
        self._responses: list[tuple[int, bytes]] = [(0, b"")] * count
        self._missing = count
        self._guessed: list[int] = []

    def guessed(self, index: int) -> None:
        """Note that the query id of one of them was never given."""
        self._guessed.append(index)

    def put(self, index: int) -> Respond:
        """Return the function that receives the response to one of them."""

        def respond(status: int, body: bytes) -> None:
            self._responses[index] = (status, body)
            self._missing -= 1
            if not self._missing:
                self._exchange.respond(200, encode_response(self._responses, self._guessed))

        return respond

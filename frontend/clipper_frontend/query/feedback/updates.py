"""The update call: feedback in, additions to Redis, a response when they are there.

Feedback has two forms. By `query_id` it counts exactly once (memory.py explains how). In Clipper's form (uid,
input, label) it counts at least once, since nothing distinguishes a repetition from new feedback.

    {"feedback":"accepted"}     counted, and in Redis
    {"feedback":"duplicate"}    there was feedback for this query before; nothing is counted
    {"feedback":"late"}         the answer to this query is not remembered any more; nothing is counted
    400                         the body or the label cannot be used, or the query was another application's
    503                         not acknowledged: send it again
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from clipper_frontend.errors import UnfitLabel
from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.bodies.refusals import BadRequest
from clipper_frontend.query.feedback.handover import (
    Handover,
    OneFeedback,
    Respond,
    decode_request,
    encode_response,
)
from clipper_frontend.query.feedback.learner import PolicyLearner
from clipper_frontend.query.feedback.learners import PolicyLearners
from clipper_frontend.query.feedback.memory import FeedbackMemory, Gone, Remembered
from clipper_frontend.query.feedback.writer import FeedbackWriter
from clipper_frontend.query.http.exchange import Exchange
from clipper_frontend.query.serving.application import Application
from clipper_frontend.registry.selection import Addition
from clipper_frontend.selection.contract import Selection
from clipper_frontend.selection.losses import Label

_TEXT: Final = b"text/plain; charset=utf-8"
_RECEIVED: Final = b"Feedback received? 1"
_ACCEPTED: Final = b'{"feedback":"accepted"}'
_DUPLICATE: Final = b'{"feedback":"duplicate"}'
_LATE: Final = b'{"feedback":"late"}'
_NOT_COUNTED: Final = error_body(
    "Feedback not counted", "Redis cannot be written: send the feedback again in a moment"
)
_NOT_ACKNOWLEDGED: Final = error_body(
    "Feedback not acknowledged",
    "Redis gives no answer: send the feedback again in a moment; with a query_id it counts once",
)

Outputs = Mapping[int, bytes | None]


class OutputSource(Protocol):
    """A source of outputs for feedback without a query id: the cache, else the models."""

    def gather(
        self, application: Application, selection: Selection, payload: bytes, done: Callable[[Outputs], None]
    ) -> None:
        """Call `done`, now or within the SLO, with the outputs of `selection.asked`, None for failures."""


class Origins(Protocol):
    """The query frontends that gave the answers, by query id."""

    def is_own(self, query_id: int) -> bool:
        """Return whether this frontend gave the answer."""

    def admin_address(self, query_id: int) -> str | None:
        """Return the admin address of the frontend that did, as host:port; None if it is gone."""


class Collaborators(NamedTuple):
    """The parts of the feedback loop that an update call uses."""

    learners: PolicyLearners
    memory: FeedbackMemory
    writer: FeedbackWriter
    handover: Handover
    origins: Origins
    outputs: OutputSource


class UpdateHandler:
    """Handles POST /<application>/update, and POST /feedback on the admin port."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._collaborators = collaborators
        self._counting: dict[int, _PendingFeedback] = {}

    def update(self, application: Application, exchange: Exchange) -> None:
        """Answer an update call of a client."""
        try:
            feedback = application.feedback_decoder.decode(exchange.body)
        except BadRequest as exc:
            application.statistics.bad_requests += 1
            exchange.respond(400, error_body("Json error", exc.cause))
            return
        application.statistics.feedback += 1
        if feedback.query_id is not None:
            self._by_query(OneFeedback(application.name, feedback.query_id, feedback.label), exchange.respond)
        elif feedback.input is not None:
            self._by_input(application, feedback.user, feedback.input, feedback.label, exchange)

    def handed_over(self, exchange: Exchange) -> None:
        """Answer POST /feedback: feedback that another query frontend received for answers of this one."""
        try:
            handed = decode_request(exchange.body)
        except ValueError as exc:
            exchange.respond(400, error_body("Json error", str(exc)))
            return
        if not handed:
            exchange.respond(200, encode_response(()))
            return
        response = _BatchResponse(exchange, len(handed))
        for index, feedback in enumerate(handed):
            if self._collaborators.origins.is_own(feedback.query_id):
                self._count(feedback, response.put(index))
            else:
                response.put(index)(200, _LATE)

    # -- by query id ---------------------------------------------------------------------------------------

    def _by_query(self, feedback: OneFeedback, respond: Respond) -> None:
        origins = self._collaborators.origins
        if origins.is_own(feedback.query_id):
            self._count(feedback, respond)
            return
        address = origins.admin_address(feedback.query_id)
        if address is None:
            respond(200, _LATE)
        else:
            self._collaborators.handover.hand(address, feedback, respond)

    def _count(self, feedback: OneFeedback, respond: Respond) -> None:
        found = self._collaborators.memory.take(feedback.query_id)
        if isinstance(found, Remembered):
            self._count_once(feedback, found, respond)
        elif found is Gone.TAKEN:
            self._counting[feedback.query_id].also(respond)
        else:
            respond(200, _DUPLICATE if found is Gone.USED else _LATE)

    def _count_once(self, feedback: OneFeedback, remembered: Remembered, respond: Respond) -> None:
        query_id, learner = feedback.query_id, remembered.learner
        memory = self._collaborators.memory
        try:
            if learner.key.application != feedback.application:
                raise UnfitLabel(f"query {query_id} was one of the application {learner.key.application!r}")
            additions = learner.observe(
                remembered.selection, remembered.by_arm(), feedback.label, remembered.user, time.time()
            )
        except UnfitLabel as exc:
            memory.put_back(query_id, remembered)
            respond(400, error_body("Unfit feedback", str(exc)))
            return
        if not additions:
            memory.use_up(query_id)
            respond(200, _ACCEPTED)
            return
        counting = _PendingFeedback(query_id, remembered, additions, respond, self._counted)
        self._counting[query_id] = counting
        self._collaborators.writer.add(additions, counting)

    def _counted(self, query_id: int, remembered: Remembered, written: bool) -> None:
        del self._counting[query_id]
        if written:
            self._collaborators.memory.use_up(query_id)
        else:
            self._collaborators.memory.put_back(query_id, remembered)

    # -- by input ------------------------------------------------------------------------------------------

    def _by_input(
        self, application: Application, user: str | None, payload: bytes, label: Label, exchange: Exchange
    ) -> None:
        """Learn from the outputs for this input now: from the cache, else from the models."""
        learner = self._collaborators.learners.find(application.name)
        # An application without its models has no learner, even if one is still known here.
        if learner is None or application.learner is not learner:
            exchange.respond(200, _RECEIVED, _TEXT)
            return
        selection = learner.selector(user).select(user, random.random)

        def learn(outputs: Outputs) -> None:
            try:
                additions = learner.observe(selection, outputs, label, user, time.time())
            except UnfitLabel as exc:
                exchange.respond(400, error_body("Unfit feedback", str(exc)))
                return
            self._collaborators.writer.add(additions, _PendingInput(learner, additions, exchange))

        if learner.measures:
            self._collaborators.outputs.gather(application, selection, payload, learn)
        else:
            learn({})


class _PendingFeedback:
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
            respond(503, _NOT_ACKNOWLEDGED)
        else:
            self._others.append(respond)

    def settled(self, written: bool) -> None:
        """Note the outcome, and answer the clients that still wait."""
        self._counted(self._query_id, self._remembered, written)
        if written:
            self._remembered.learner.counted(self._additions)
        first, others = self._first, self._others
        if first is not None:
            first(*((200, _ACCEPTED) if written else (503, _NOT_COUNTED)))
        for respond in others:
            respond(*((200, _DUPLICATE) if written else (503, _NOT_COUNTED)))

    def delayed(self) -> None:
        """Answer all waiting clients: the outcome is not known yet."""
        if self._first is not None:
            self._first(503, _NOT_ACKNOWLEDGED)
            self._first = None
        for respond in self._others:
            respond(503, _NOT_ACKNOWLEDGED)
        self._others.clear()


class _PendingInput:
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
            self._exchange.respond(200, _RECEIVED, _TEXT)
        else:
            self._exchange.respond(503, _NOT_COUNTED)

    def delayed(self) -> None:
        """Answer that the outcome is not known yet."""
        self._exchange.respond(503, _NOT_ACKNOWLEDGED)


class _BatchResponse:
    """Collects the responses to feedback that was handed over together."""

    def __init__(self, exchange: Exchange, count: int) -> None:
        self._exchange = exchange
        self._responses: list[tuple[int, bytes]] = [(0, b"")] * count
        self._missing = count

    def put(self, index: int) -> Respond:
        """Return the function that receives the response to one of them."""

        def respond(status: int, body: bytes) -> None:
            self._responses[index] = (status, body)
            self._missing -= 1
            if not self._missing:
                self._exchange.respond(200, encode_response(self._responses))

        return respond

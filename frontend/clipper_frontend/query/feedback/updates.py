"""The update call: feedback in, increments to Redis, an answer when they are there.

Owns what each kind of feedback is answered, and its two forms: by `query_id` it counts exactly once, and
Clipper's (uid, input, label) at least once, as nothing tells one from another.

    {"feedback":"accepted"}     counted, and in Redis
    {"feedback":"duplicate"}    there was feedback for this query before; nothing is counted
    {"feedback":"late"}         nobody remembers what this query was answered; nothing is counted
    400                         the body or the label cannot be used, or the query was another application's
    503                         not acknowledged: to be sent again
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from clipper_frontend.errors import UnfitLabel
from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.bodies.requests import BadRequest
from clipper_frontend.query.feedback.handover import (
    Answer,
    Handover,
    OneFeedback,
    decode_request,
    encode_response,
)
from clipper_frontend.query.feedback.learner import PolicyLearner
from clipper_frontend.query.feedback.learners import PolicyLearners
from clipper_frontend.query.feedback.memory import Answered, FeedbackMemory, Gone
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
    """Where outputs for an input come from that no query is known of: the cache, else the models."""

    def gather(
        self, application: Application, selection: Selection, payload: bytes, done: Callable[[Outputs], None]
    ) -> None:
        """Call `done`, now or within the SLO, with the outputs of `selection.asked`, None for failures."""


class Origins(Protocol):
    """Which query frontend answered a query."""

    def is_own(self, query_id: int) -> bool:
        """Tell whether this one did."""

    def admin_address(self, query_id: int) -> str | None:
        """Return where the one that did is reached, as host:port; None where it is gone."""


class Parts(NamedTuple):
    """What an update call goes through."""

    learners: PolicyLearners
    memory: FeedbackMemory
    writer: FeedbackWriter
    handover: Handover
    origins: Origins
    outputs: OutputSource


class UpdateHandler:
    """Answers POST /<application>/update, and POST /feedback on the admin port."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counting: dict[int, _Counting] = {}

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
        """Answer POST /feedback: feedback that came to another query frontend, for answers of this one."""
        try:
            handed = decode_request(exchange.body)
        except ValueError as exc:
            exchange.respond(400, error_body("Json error", str(exc)))
            return
        if not handed:
            exchange.respond(200, encode_response(()))
            return
        answers = _Answers(exchange, len(handed))
        for index, feedback in enumerate(handed):
            if self._parts.origins.is_own(feedback.query_id):
                self._count(feedback, answers.put(index))
            else:
                answers.put(index)(200, _LATE)

    # -- by query id ---------------------------------------------------------------------------------------

    def _by_query(self, feedback: OneFeedback, answer: Answer) -> None:
        origins = self._parts.origins
        if origins.is_own(feedback.query_id):
            self._count(feedback, answer)
            return
        address = origins.admin_address(feedback.query_id)
        if address is None:
            answer(200, _LATE)
        else:
            self._parts.handover.hand(address, feedback, answer)

    def _count(self, feedback: OneFeedback, answer: Answer) -> None:
        found = self._parts.memory.take(feedback.query_id)
        if isinstance(found, Answered):
            self._count_once(feedback, found, answer)
        elif found is Gone.TAKEN:
            self._counting[feedback.query_id].also(answer)
        else:
            answer(200, _DUPLICATE if found is Gone.USED else _LATE)

    def _count_once(self, feedback: OneFeedback, answered: Answered, answer: Answer) -> None:
        query_id, learner = feedback.query_id, answered.learner
        memory = self._parts.memory
        try:
            if learner.key.application != feedback.application:
                raise UnfitLabel(f"query {query_id} was one of the application {learner.key.application!r}")
            additions = learner.observe(
                answered.selection, answered.by_arm(), feedback.label, answered.user, time.time()
            )
        except UnfitLabel as exc:
            memory.put_back(query_id, answered)
            answer(400, error_body("Unfit feedback", str(exc)))
            return
        if not additions:
            memory.use_up(query_id)
            answer(200, _ACCEPTED)
            return
        counting = _Counting(query_id, answered, additions, answer, self._counted)
        self._counting[query_id] = counting
        self._parts.writer.add(additions, counting)

    def _counted(self, query_id: int, answered: Answered, written: bool) -> None:
        del self._counting[query_id]
        if written:
            self._parts.memory.use_up(query_id)
        else:
            self._parts.memory.put_back(query_id, answered)

    # -- by input ------------------------------------------------------------------------------------------

    def _by_input(
        self, application: Application, user: str | None, payload: bytes, label: Label, exchange: Exchange
    ) -> None:
        """Learn from what would be answered now, by the cache where it is there."""
        learner = self._parts.learners.find(application.name)
        # Without its models an application has none, whatever is still known of it.
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
            self._parts.writer.add(additions, _Receiving(learner, additions, exchange))

        if learner.measures:
            self._parts.outputs.gather(application, selection, payload, learn)
        else:
            learn({})


class _Counting:
    """Feedback by query id on its way to Redis, and all who sent it and wait to hear what became of it."""

    __slots__ = ("_additions", "_answered", "_counted", "_first", "_others", "_query_id")

    def __init__(
        self,
        query_id: int,
        answered: Answered,
        additions: list[Addition],
        answer: Answer,
        counted: Callable[[int, Answered, bool], None],
    ) -> None:
        self._query_id = query_id
        self._answered = answered
        self._additions = additions
        self._first: Answer | None = answer
        self._others: list[Answer] = []
        self._counted = counted

    def also(self, answer: Answer) -> None:
        """Let another one wait that sent the same; where Redis gives no answer it does not wait."""
        if self._first is None:
            answer(503, _NOT_ACKNOWLEDGED)
        else:
            self._others.append(answer)

    def settled(self, written: bool) -> None:
        """Answer who still waits."""
        self._counted(self._query_id, self._answered, written)
        if written:
            self._answered.learner.counted(self._additions)
        first, others = self._first, self._others
        if first is not None:
            first(*((200, _ACCEPTED) if written else (503, _NOT_COUNTED)))
        for answer in others:
            answer(*((200, _DUPLICATE) if written else (503, _NOT_COUNTED)))

    def delayed(self) -> None:
        """Let nobody wait."""
        if self._first is not None:
            self._first(503, _NOT_ACKNOWLEDGED)
            self._first = None
        for answer in self._others:
            answer(503, _NOT_ACKNOWLEDGED)
        self._others.clear()


class _Receiving:
    """Feedback in Clipper's form on its way to Redis."""

    __slots__ = ("_additions", "_exchange", "_learner")

    def __init__(self, learner: PolicyLearner, additions: list[Addition], exchange: Exchange) -> None:
        self._learner = learner
        self._additions = additions
        self._exchange = exchange

    def settled(self, written: bool) -> None:
        """Answer, unless that was done."""
        if written:
            self._learner.counted(self._additions)
            self._exchange.respond(200, _RECEIVED, _TEXT)
        else:
            self._exchange.respond(503, _NOT_COUNTED)

    def delayed(self) -> None:
        """Answer that Redis gives no answer."""
        self._exchange.respond(503, _NOT_ACKNOWLEDGED)


class _Answers:
    """Collects the answers to feedback that was handed over together."""

    def __init__(self, exchange: Exchange, count: int) -> None:
        self._exchange = exchange
        self._answers: list[tuple[int, bytes]] = [(0, b"")] * count
        self._missing = count

    def put(self, index: int) -> Answer:
        """Return what takes the answer to one of them."""

        def answer(status: int, body: bytes) -> None:
            self._answers[index] = (status, body)
            self._missing -= 1
            if not self._missing:
                self._exchange.respond(200, encode_response(self._answers))

        return answer

"""The update call: feedback in, additions to Redis, a response when they are there.

Feedback has two forms. By `query_id` it counts exactly once (memory.py explains how). In Clipper's form (uid,
input, label) it counts at least once, since nothing distinguishes a repetition from new feedback.

    {"feedback":"accepted"}     counted, and in Redis
    {"feedback":"duplicate"}    there was feedback for this query before; nothing is counted
    {"feedback":"late"}         the answer to this query is not remembered any more; nothing is counted
    400                         the body or the label cannot be used, or the query was another application's
    429                         too many ids that no frontend gave came from this client (guesses.py)
    503                         not acknowledged: send it again
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol

from clipper_frontend.errors import UnfitLabel
from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.query.bodies.refusals import BadRequest
from clipper_frontend.query.feedback.guesses import Guesses
from clipper_frontend.query.feedback.handover import (
    Handover,
    OneFeedback,
    Respond,
    decode_request,
    encode_response,
)
from clipper_frontend.query.feedback.learners import PolicyLearners
from clipper_frontend.query.feedback.memory import FeedbackMemory, Gone, Remembered
from clipper_frontend.query.feedback.pending import (
    ACCEPTED,
    DUPLICATE,
    RECEIVED,
    TEXT,
    BatchResponse,
    PendingFeedback,
    PendingInput,
)
from clipper_frontend.query.feedback.writer import FeedbackWriter
from clipper_frontend.query.http.exchange import Connection, Exchange
from clipper_frontend.query.serving.application import Application
from clipper_frontend.selection.contract import Selection
from clipper_frontend.selection.losses import Label

_LATE: Final = b'{"feedback":"late"}'

_GUESSED: Final = error_body(
    "Too many wrong query ids",
    "no query frontend gave them: send query_id as it was answered, an integer of 53 bits, and try again in "
    "a minute",
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

    def was_issued(self, query_id: int) -> bool:
        """Return whether this frontend gave an id that has its number, or it is a guess."""

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
    guesses: Guesses


class UpdateHandler:
    """Handles POST /<application>/update, and POST /feedback on the admin port."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._collaborators = collaborators
        self._counting: dict[int, PendingFeedback] = {}

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
            self._by_query(OneFeedback(application.name, feedback.query_id, feedback.label), exchange)
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
        response = BatchResponse(exchange, len(handed))
        for index, feedback in enumerate(handed):
            if self._collaborators.origins.is_own(feedback.query_id):
                self._count(feedback, response.put(index), partial(response.guessed, index))
            else:
                response.put(index)(200, _LATE)

    # -- by query id ---------------------------------------------------------------------------------------

    def _by_query(self, feedback: OneFeedback, exchange: Exchange) -> None:
        origins, guesses = self._collaborators.origins, self._collaborators.guesses
        respond, connection = exchange.respond, exchange.connection
        if guesses.slows(lambda: connection.peer):
            respond(429, _GUESSED)
            return
        guessed = partial(_note_guess, guesses, connection)
        if origins.is_own(feedback.query_id):
            self._count(feedback, respond, guessed)
            return
        address = origins.admin_address(feedback.query_id)
        if address is None:
            respond(200, _LATE)
        else:
            self._collaborators.handover.hand(address, feedback, respond, guessed)

    def _count(self, feedback: OneFeedback, respond: Respond, guessed: Callable[[], None]) -> None:
        found = self._collaborators.memory.take(feedback.query_id)
        if isinstance(found, Remembered):
            self._count_once(feedback, found, respond)
        elif found is Gone.TAKEN:
            self._counting[feedback.query_id].also(respond)
        elif found is Gone.USED:
            respond(200, DUPLICATE)
        else:
            if not self._collaborators.origins.was_issued(feedback.query_id):
                self._collaborators.guesses.total += 1
                guessed()
            respond(200, _LATE)

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
            respond(200, ACCEPTED)
            return
        counting = PendingFeedback(query_id, remembered, additions, respond, self._counted)
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
            exchange.respond(200, RECEIVED, TEXT)
            return
        selection = learner.selector(user).select(user, random.random)

        def learn(outputs: Outputs) -> None:
            try:
                additions = learner.observe(selection, outputs, label, user, time.time())
            except UnfitLabel as exc:
                exchange.respond(400, error_body("Unfit feedback", str(exc)))
                return
            self._collaborators.writer.add(additions, PendingInput(learner, additions, exchange))

        if learner.measures:
            self._collaborators.outputs.gather(application, selection, payload, learn)
        else:
            learn({})


def _note_guess(guesses: Guesses, connection: Connection) -> None:
    guesses.note(connection.peer)

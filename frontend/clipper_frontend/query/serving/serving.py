"""Queries and their answers: from an application's input to its client's answer. No I/O, no clock.

Owns all deadlines. A query comes in through submit(), its output through answer(), time through expire();
answers leave through each query's reply. Models are asked through `predictions`.
"""

from __future__ import annotations

from collections.abc import Callable

from clipper_frontend.query.bodies.answers import (
    DefaultReason,
    render_answer,
    render_default,
    render_late_answer,
    render_unavailable,
)
from clipper_frontend.query.prediction.predictions import Predictions
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.deadlines import Deadlines
from clipper_frontend.query.serving.gathering import Chosen, Selected
from clipper_frontend.query.serving.query import Query, Reply
from clipper_frontend.registry.records import OnDefault


class Serving:
    """All queries of one query frontend.

    `due_sooner` is called when a query is due before all others, `next_query_id` gives ids.
    """

    def __init__(
        self, predictions: Predictions, due_sooner: Callable[[], None], next_query_id: Callable[[], int]
    ) -> None:
        self.predictions = predictions
        self.deadlines = Deadlines()
        self.next_query_id = next_query_id
        self._due_sooner = due_sooner

    def submit(
        self,
        application: Application,
        target: ServedVersion | None,
        payload: bytes,
        reply: Reply,
        now: float,
        chosen: Chosen | None = None,
    ) -> None:
        """Answer one input by `target`: from the cache at once, or when its prediction has come.

        Where a policy has chosen it, the answer is remembered for feedback.
        """
        application.statistics.queries += 1
        query_id = self.next_query_id()
        if target is None:
            query = (
                Query(self, application, None, query_id, now, now, reply)
                if chosen is None
                else Selected(self, application, None, query_id, now, reply, chosen)
            )
            self.answer_default(query, DefaultReason.NO_MODEL, application.refusal, now)
            return
        key, output = self.predictions.find(target, payload)
        if output is not None:
            application.statistics.latency.observe(0.0)
            reply.respond(200, render_answer(query_id, output, target.models_member))
            if chosen is not None and application.learner is not None:
                selection, user = chosen
                application.learner.remember(query_id, user, selection, output)
            return
        if chosen is None:
            query = Query(self, application, target, query_id, now, now + application.limit_s, reply)
        else:
            query = Selected(self, application, target, query_id, now, reply, chosen)
        self.predictions.ask(target, key, payload, query, now)
        if query.deadline >= 0:
            self.wait(query)

    def wait(self, query: Query) -> None:
        """Let a query be answered at its deadline, if it is not before."""
        if self.deadlines.add(query):
            self._due_sooner()

    def expire(self, now: float) -> None:
        """Answer the queries whose deadline has passed."""
        for query in self.deadlines.pop_due(now):
            query.expire(now)

    def answer(self, query: Query, output: bytes, now: float) -> None:
        """Answer a query with the output of the one model that it asked."""
        application = query.application
        latency_s = now - query.arrived_at
        # As in close(), without the call: this is done for every query.
        query.deadline = -1.0
        self.deadlines.remove(query)
        application.statistics.latency.observe(latency_s)
        assert query.target is not None
        models = query.target.models_member
        if application.waits and latency_s > application.slo_s:
            application.statistics.late_answers += 1
            query.reply.respond(200, render_late_answer(query.query_id, output, models))
        else:
            query.reply.respond(200, render_answer(query.query_id, output, models))

    def answer_default(
        self,
        query: Query,
        reason: DefaultReason,
        detail: str | None,
        now: float,
        members: bytes = b"",
    ) -> None:
        """Answer a query without a prediction; `members` is what is said of several models.

        Where no policy chooses the answer is as Clipper's.
        """
        self.close(query, now)
        application = query.application
        defaults = application.statistics.defaults
        defaults[reason.value] = defaults.get(reason.value, 0) + 1
        if application.on_default is OnDefault.ERROR:
            query.reply.respond(503, render_unavailable(query.query_id, reason, detail))
        else:
            body = render_default(
                query.query_id, application.default_json, reason, detail, members or query.default_members
            )
            query.reply.respond(200, body)
        query.remember_default()

    def close(self, query: Query, now: float) -> None:
        """Mark a query as answered, now."""
        self.deadlines.remove(query)
        query.deadline = -1.0
        query.application.statistics.latency.observe(now - query.arrived_at)

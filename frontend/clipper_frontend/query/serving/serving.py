"""Answers to queries: from an application's input to the body that its client gets. No I/O, no clock.

An input comes in through submit(), its output through answer(), time through expire(). An answer leaves
through the query's reply. Models are asked through `predictions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
from clipper_frontend.query.serving.gathering import SelectedQuery, UserSelection
from clipper_frontend.query.serving.query import Deadlines, Query, Reply
from clipper_frontend.registry.records import OnDefault


class Serving:
    """All queries of one query frontend.

    `due_sooner` is called when a new query is due before all others; `next_query_id` returns a new id.
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
        selected: UserSelection | None = None,
        waited_s: float = 0.0,
    ) -> None:
        """Answer one input by `target`: from the cache at once, or later by a prediction.

        If a policy `selected` the target, the answer is remembered for feedback. The query could have been
        read `waited_s` ago, and its time began then.
        """
        statistics = application.statistics
        statistics.queries += 1
        query_id = self.next_query_id()
        arrived_at = now - waited_s if waited_s else now
        if target is None:
            query = (
                Query(self, application, None, query_id, arrived_at, now, reply)
                if selected is None
                else SelectedQuery(self, application, None, query_id, arrived_at, reply, selected)
            )
            arm = 0 if selected is None else selected[0].only
            assert arm is not None
            self.answer_default(query, DefaultReason.NO_MODEL, application.why_no_model(arm), now)
            return
        key, output = self.predictions.find(target, payload, now)
        if output is not None:
            statistics.latency.observe(waited_s)
            render = render_answer
            if waited_s and waited_s > application.late_s:
                statistics.late_answers += 1
                render = render_late_answer
            reply.respond(200, render(query_id, output, target.models_member))
            if selected is not None and application.learner is not None:
                selection, user = selected
                application.learner.remember(query_id, user, selection, output)
            return
        if selected is None:
            deadline = arrived_at + application.limit_s
            query = Query(self, application, target, query_id, arrived_at, deadline, reply)
        else:
            query = SelectedQuery(self, application, target, query_id, arrived_at, reply, selected)
        if waited_s and waited_s > application.limit_s:
            query.miss(DefaultReason.TIMEOUT, None, now)
        else:
            self.predictions.ask(target, key, payload, query, now)
        if query.deadline >= 0:
            self.keep_deadline(query)

    def abandon(self, query: Query, targets: Iterable[ServedVersion | None]) -> None:
        """Forget a query whose client has gone: it is not answered, and nothing is remembered."""
        self.deadlines.remove(query)
        query.deadline = -1.0
        query.application.statistics.abandoned += 1
        for target in targets:
            if target is not None:
                self.predictions.abandoned(target)

    def keep_deadline(self, query: Query) -> None:
        """Answer a query at its deadline, unless it is answered before or its client goes."""
        query.reply.work = query
        if self.deadlines.add(query):
            self._due_sooner()

    def expire(self, now: float) -> None:
        """Answer the queries whose deadline has passed."""
        for query in self.deadlines.pop_due(now):
            query.expire(now)

    def answer(self, query: Query, output: bytes, now: float) -> None:
        """Answer a query with the output of the only model that it asked."""
        application = query.application
        latency_s = now - query.arrived_at
        # As in mark_answered(), without the call: this runs for every query.
        query.deadline = -1.0
        self.deadlines.remove(query)
        application.statistics.latency.observe(latency_s)
        assert query.target is not None
        models = query.target.models_member
        if latency_s > application.late_s:
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
        """Answer a query without a prediction; `members` are JSON members about several models.

        Without a policy the answer has Clipper's shape.
        """
        self.mark_answered(query, now)
        application = query.application
        late = now - query.arrived_at > application.late_s
        application.statistics.late_answers += late
        defaults = application.statistics.defaults
        defaults[reason.value] = defaults.get(reason.value, 0) + 1
        if application.on_default is OnDefault.ERROR:
            query.reply.respond(503, render_unavailable(query.query_id, reason, detail, late=late))
        else:
            members = members or query.default_members
            body = render_default(
                query.query_id, application.default_json, reason, detail, members, late=late
            )
            query.reply.respond(200, body)
        query.remember_default()

    def mark_answered(self, query: Query, now: float) -> None:
        """Take a query off the deadlines and count its latency."""
        self.deadlines.remove(query)
        query.deadline = -1.0
        query.application.statistics.latency.observe(now - query.arrived_at)

"""The query path's core: from a decoded input to its answer. No I/O: time is an argument.

Owns the prediction cache, the predictions in flight and all deadlines. A query comes in through submit(), an
answer of a replica through answered(), time through expire(); answers leave through each query's reply,
batches through the `send` that dispatch() is given. It knows neither HTTP nor frames nor Redis.
"""

from __future__ import annotations

from collections.abc import Callable

from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_OK, Answer
from clipper_frontend.query.bodies.answers import (
    NO_MODELS_MEMBER,
    DefaultReason,
    output_json,
    render_answer,
    render_default,
    render_late_answer,
    render_unavailable,
)
from clipper_frontend.query.prediction.cache import PredictionCache, cache_key
from clipper_frontend.query.prediction.prediction import Prediction, Query, Reply
from clipper_frontend.query.prediction.replica import Replica
from clipper_frontend.query.prediction.version import MOST_SENDS, Send, ServedVersion
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.deadlines import Deadlines
from clipper_frontend.query.serving.gathering import Chosen, Gathering, Part, Selected
from clipper_frontend.registry.records import OnDefault

_LOST_TWICE = "two replicas in turn were lost while they worked on this input"
_LONGEST_DETAIL = 1000


class Serving:
    """All queries of one query frontend.

    `wake` is called when there is something to dispatch, `due_sooner` when a query is due before all others.
    `next_query_id` gives ids. What a policy selects comes from `selecting`, which uses what is public here.
    """

    def __init__(
        self,
        cache: PredictionCache,
        wake: Callable[[], None],
        due_sooner: Callable[[], None],
        next_query_id: Callable[[], int],
    ) -> None:
        self.cache = cache
        self.caches = cache.enabled
        self.deadlines = Deadlines()
        self._in_flight: dict[bytes, Prediction] = {}
        self._to_dispatch: set[ServedVersion] = set()
        self.next_query_id = next_query_id
        self._wake = wake
        self._due_sooner = due_sooner

    # -- queries in ------------------------------------------------------------------------------------------

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
                Query(application, None, query_id, now, now, reply)
                if chosen is None
                else Selected(application, None, query_id, now, reply, chosen)
            )
            self.answer_default(query, DefaultReason.NO_MODEL, application.refusal, now)
            return
        key = None
        if self.caches:
            key = cache_key(target.cache_prefix, payload)
            output = self.cache.get(key)
            if output is not None:
                target.statistics.cache_hits += 1
                application.statistics.latency.observe(0.0)
                reply.respond(200, render_answer(query_id, output, target.models_member))
                if chosen is not None and application.learner is not None:
                    selection, user = chosen
                    application.learner.remember(query_id, user, selection, output)
                return
        target.statistics.cache_misses += 1
        if chosen is None:
            query = Query(application, target, query_id, now, now + application.limit_s, reply)
        else:
            query = Selected(application, target, query_id, now, reply, chosen)
        if self.predict(target, key, payload, query, now):
            self.wait(query)

    def wait(self, query: Query) -> None:
        """Let a query be answered at its deadline, if it is not before."""
        if self.deadlines.add(query):
            self._due_sooner()

    def predict(
        self, target: ServedVersion, key: bytes | None, payload: bytes, query: Query, now: float
    ) -> bool:
        """Have a query answered by a prediction; False where it was answered without one."""
        in_flight = self._in_flight.get(key) if key is not None else None
        # One that nobody waits for any more may be with a replica that hangs: it is not waited for again.
        if in_flight is not None and in_flight.deadline > now:
            target.statistics.joined += 1
            in_flight.join(query, query.deadline)
        elif not target.replicas:
            self.answer_default(query, DefaultReason.NO_REPLICA, None, now)
            return False
        elif not target.admits(query.deadline, now):
            self.answer_default(query, DefaultReason.OVERLOADED, None, now)
            return False
        else:
            prediction = Prediction(key, payload, query.deadline, query)
            if key is not None:
                self._in_flight[key] = prediction
            target.queue.push(prediction)
            self._needs_dispatch(target)
        return True

    def _needs_dispatch(self, target: ServedVersion) -> None:
        if not self._to_dispatch:
            self._wake()
        self._to_dispatch.add(target)

    # -- batches out -----------------------------------------------------------------------------------------

    def dispatch(self, now: float, send: Send) -> None:
        """Send what can be sent of all versions that have something new."""
        versions, self._to_dispatch = self._to_dispatch, set()
        for version in versions:
            self._dropped(version.dispatch(now, send), now)

    def _dropped(self, predictions: list[Prediction], now: float) -> None:
        """Answer at once for what could not be in time; what is due already is the deadline timer's."""
        for prediction in predictions:
            if prediction.deadline > now:
                self._fail(prediction, DefaultReason.OVERLOADED, None, now)
            else:
                self._forget(prediction)

    # -- answers in ------------------------------------------------------------------------------------------

    def answered(self, version: ServedVersion, replica: Replica, answer: Answer, now: float) -> None:
        """Resolve the predictions of a batch."""
        statuses = answer.statuses
        run = statuses.count(STATUS_OK) + statuses.count(STATUS_MODEL_ERROR)
        batch = replica.answered(answer.message_id, now, answer.run_micros, learn=run > 0)
        # Also with an empty queue: dispatching ends with what admission needs to know.
        self._needs_dispatch(version)
        if batch is None:
            return
        predictions, outputs = batch.predictions, answer.outputs
        if len(outputs) != len(predictions):
            detail = f"the replica gave {len(outputs)} outputs for {len(predictions)} inputs"
            version.statistics.model_errors += len(predictions)
            for prediction in predictions:
                self._fail(prediction, DefaultReason.MODEL_ERROR, detail, now)
            return
        for prediction, output, status in zip(predictions, outputs, statuses, strict=True):
            if status == STATUS_OK:
                self._fulfil(version, prediction, output, now)
            elif status == STATUS_MODEL_ERROR:
                version.statistics.model_errors += 1
                self._fail(prediction, DefaultReason.MODEL_ERROR, _detail(output), now)
            else:
                self._retry(version, prediction, now)

    def _fulfil(self, version: ServedVersion, prediction: Prediction, output: bytes, now: float) -> None:
        rendered = output_json(output)
        models = version.models_member
        key = prediction.key
        if key is not None:
            self._forget(prediction)
            self.cache.put(key, rendered)
        for query in prediction.waiters:
            if query.deadline < 0:
                continue
            if query.is_part:
                assert isinstance(query, Part)
                query.took(rendered, now)
                continue
            application = query.application
            latency_s = now - query.arrived_at
            # As in close(), without the calls: this is done for every query.
            query.deadline = -1.0
            self.deadlines.remove(query)
            application.statistics.latency.observe(latency_s)
            if application.waits and latency_s > application.slo_s:
                application.statistics.late_answers += 1
                query.reply.respond(200, render_late_answer(query.query_id, rendered, models))
            else:
                query.reply.respond(200, render_answer(query.query_id, rendered, models))
            # Of its subclasses, a Gathering only waits for its parts.
            if type(query) is Selected:
                query.remember(rendered)

    # -- what goes wrong -------------------------------------------------------------------------------------

    def joined(self, version: ServedVersion, replica: Replica) -> None:
        """Let a replica take part."""
        version.add(replica)
        if version.queue:
            self._needs_dispatch(version)

    def leaving(self, version: ServedVersion, replica: Replica, now: float, send: Send) -> None:
        """Take a replica out that finishes what it has; the last one also takes what is queued."""
        self._dropped(version.drain(replica, now, send), now)

    def lost(self, version: ServedVersion, replica: Replica, now: float) -> None:
        """Take a replica out and send what it had to another, or to itself when it is back."""
        version.remove(replica)
        version.statistics.lost_replicas += 1
        self._retry_all(version, replica, now)

    def stalled(self, version: ServedVersion, replica: Replica, now: float) -> None:
        """Take a replica that hangs out of the rotation until it answers, and retry what it had."""
        replica.stalled = True
        version.learn()
        self._retry_all(version, replica, now)

    def _retry_all(self, version: ServedVersion, replica: Replica, now: float) -> None:
        for prediction in replica.give_up():
            self._retry(version, prediction, now)

    def _retry(self, version: ServedVersion, prediction: Prediction, now: float) -> None:
        if prediction.deadline <= now:
            self._forget(prediction)
        elif prediction.sends < MOST_SENDS:
            version.statistics.retries += 1
            version.queue.push(prediction)
            self._needs_dispatch(version)
        else:
            self._fail(prediction, DefaultReason.MODEL_ERROR, _LOST_TWICE, now)

    def expire(self, now: float) -> None:
        """Answer the queries whose deadline has passed."""
        for query in self.deadlines.pop_due(now):
            if isinstance(query, Gathering):
                query.complete(now)
                continue
            target = query.target
            no_replica = target is not None and not target.replicas
            reason = DefaultReason.NO_REPLICA if no_replica else DefaultReason.TIMEOUT
            self.answer_default(query, reason, None, now)

    def purge(self, version: ServedVersion, now: float) -> None:
        """Let go of the queued predictions that nobody waits for any more."""
        for prediction in version.queue.drop_before(now):
            self._forget(prediction)

    def _fail(self, prediction: Prediction, reason: DefaultReason, detail: str | None, now: float) -> None:
        self._forget(prediction)
        for query in prediction.waiters:
            if query.deadline >= 0:
                self.answer_default(query, reason, detail, now)

    def _forget(self, prediction: Prediction) -> None:
        key = prediction.key
        if key is not None and self._in_flight.get(key) is prediction:
            del self._in_flight[key]

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
        if isinstance(query, Part):
            query.missed(reason, detail, now)
            return
        self.close(query, now)
        if not members and query.is_selected:
            members = NO_MODELS_MEMBER
        application = query.application
        defaults = application.statistics.defaults
        defaults[reason.value] = defaults.get(reason.value, 0) + 1
        if application.on_default is OnDefault.ERROR:
            query.reply.respond(503, render_unavailable(query.query_id, reason, detail))
        else:
            body = render_default(query.query_id, application.default_json, reason, detail, members)
            query.reply.respond(200, body)
        if isinstance(query, Gathering):
            query.remember(query.outputs)
        elif isinstance(query, Selected):
            query.remember(None)

    def close(self, query: Query, now: float) -> None:
        """Mark a query as answered, now."""
        self.deadlines.remove(query)
        query.deadline = -1.0
        query.application.statistics.latency.observe(now - query.arrived_at)


def _detail(output: bytes) -> str:
    return output.decode(errors="replace")[:_LONGEST_DETAIL]

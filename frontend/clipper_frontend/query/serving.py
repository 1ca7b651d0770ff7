"""The query path's core: from a decoded input to its answer. No I/O: time is an argument.

Owns the prediction cache, the predictions in flight and all deadlines. A query comes in through submit(), an
answer of a replica through answered(), time through expire(); answers leave through each query's reply,
batches through the `send` that dispatch() is given. It knows neither HTTP nor frames nor Redis.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_OK, Answer
from clipper_frontend.query.answers import (
    NO_MODELS_MEMBER,
    DefaultReason,
    output_json,
    render_answer,
    render_default,
    render_late_answer,
    render_unavailable,
)
from clipper_frontend.query.application import Application
from clipper_frontend.query.cache import PredictionCache, cache_key
from clipper_frontend.query.deadlines import Deadlines
from clipper_frontend.query.gathering import Collection, Gathering, Outputs, Part, Selected
from clipper_frontend.query.prediction import Prediction, Query, Reply
from clipper_frontend.query.replica import Replica
from clipper_frontend.query.version import MOST_SENDS, Send, ServedVersion
from clipper_frontend.registry.records import OnDefault
from clipper_frontend.selection.contract import Selection

_LOST_TWICE = "two replicas in turn were lost while they worked on this input"
_LONGEST_DETAIL = 1000


class Serving:
    """All queries of one query frontend.

    `wake` is called when there is something to dispatch, `due_sooner` when a query is due before all others.
    `next_query_id` gives ids.
    """

    def __init__(
        self,
        cache: PredictionCache,
        wake: Callable[[], None],
        due_sooner: Callable[[], None],
        next_query_id: Callable[[], int],
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.cache = cache
        self._caches = cache.enabled
        self.deadlines = Deadlines()
        self._in_flight: dict[bytes, Prediction] = {}
        self._to_dispatch: set[ServedVersion] = set()
        self._next_query_id = next_query_id
        self._draw = draw
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
        selection: Selection | None = None,
        user: str | None = None,
    ) -> None:
        """Answer one input by `target`: from the cache at once, or when its prediction has come.

        With the `selection` that chose it, the answer is remembered for feedback.
        """
        application.statistics.queries += 1
        query_id = self._next_query_id()
        if target is None:
            query = (
                Query(application, None, query_id, now, now, reply)
                if selection is None
                else Selected(application, None, query_id, now, reply, selection, user)
            )
            self._answer_default(query, DefaultReason.NO_MODEL, application.refusal, now)
            return
        key = None
        if self._caches:
            key = cache_key(target.cache_prefix, payload)
            output = self.cache.get(key)
            if output is not None:
                target.statistics.cache_hits += 1
                application.statistics.latency.observe(0.0)
                reply.respond(200, render_answer(query_id, output, target.models_member))
                if selection is not None and application.learner is not None:
                    outputs: Outputs = {selection.asked[0]: output}
                    application.learner.remember(query_id, user, selection, outputs)
                return
        target.statistics.cache_misses += 1
        if selection is None:
            query = Query(application, target, query_id, now, now + application.limit_s, reply)
        else:
            query = Selected(application, target, query_id, now, reply, selection, user)
        if self._predict(target, key, payload, query, now) and self.deadlines.add(query):
            self._due_sooner()

    def select(
        self, application: Application, user: str | None, payload: bytes, reply: Reply, now: float
    ) -> None:
        """Answer one input by the models that the application's policy selects."""
        selection = application.selector(user).select(user, self._draw)
        only = selection.only
        if only is not None and not selection.shadows:
            application.arms[only].chosen += 1
            self.submit(application, application.targets[only], payload, reply, now, selection, user)
            return
        application.statistics.queries += 1
        for index in selection.asked:
            application.arms[index].chosen += 1
        for index in selection.shadows:
            application.arms[index].shadowed += 1
        query_id = self._next_query_id()
        self._gather(Gathering(application, query_id, now, reply, selection, user), payload, now)

    def collect(
        self,
        application: Application,
        selection: Selection,
        payload: bytes,
        now: float,
        done: Callable[[Outputs], None],
    ) -> None:
        """Get the outputs of several models for one input, and answer nobody.

        `done` is called once, perhaps at once, and when a query would be due at the latest.
        """
        self._gather(Collection(application, self._next_query_id(), now, selection, done), payload, now)

    def _gather(self, gathering: Gathering, payload: bytes, now: float) -> None:
        for index in gathering.selection.asked:
            self._ask(gathering, index, payload, now)
        for index in gathering.selection.shadows:
            self._ask(gathering, index, payload, now)
        if gathering.deadline >= 0 and self.deadlines.add(gathering):
            self._due_sooner()

    def _ask(self, gathering: Gathering, index: int, payload: bytes, now: float) -> None:
        target = gathering.application.targets[index]
        if target is None:
            self._missed(gathering, index, DefaultReason.NO_MODEL, None, now)
            return
        key = None
        if self._caches:
            key = cache_key(target.cache_prefix, payload)
            output = self.cache.get(key)
            if output is not None:
                target.statistics.cache_hits += 1
                self._took(gathering, index, output, now)
                return
        target.statistics.cache_misses += 1
        self._predict(target, key, payload, Part(gathering, index, target), now)

    def _predict(
        self, target: ServedVersion, key: bytes | None, payload: bytes, query: Query, now: float
    ) -> bool:
        """Let a query wait for a prediction; False where it was answered instead."""
        in_flight = self._in_flight.get(key) if key is not None else None
        # One that nobody waits for any more may be with a replica that hangs: it is not waited for again.
        if in_flight is not None and in_flight.deadline > now:
            target.statistics.joined += 1
            in_flight.join(query, query.deadline)
        elif not target.replicas:
            self._answer_default(query, DefaultReason.NO_REPLICA, None, now)
            return False
        elif not target.admits(query.deadline, now):
            self._answer_default(query, DefaultReason.OVERLOADED, None, now)
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
            if query.gathering is not None:
                self._part_took(query, rendered, now)
                continue
            application = query.application
            latency_s = now - query.arrived_at
            # As in _close(), without the calls: this is done for every query.
            query.deadline = -1.0
            self.deadlines.remove(query)
            application.statistics.latency.observe(latency_s)
            if application.waits and latency_s > application.slo_s:
                application.statistics.late_answers += 1
                query.reply.respond(200, render_late_answer(query.query_id, rendered, models))
            else:
                query.reply.respond(200, render_answer(query.query_id, rendered, models))
            if query.selection is not None:
                _remember(query, {query.selection.asked[0]: rendered})

    # -- several models --------------------------------------------------------------------------------------

    def _part_took(self, part: Query, output: bytes, now: float) -> None:
        assert isinstance(part, Part)
        part.deadline = -1.0
        if part.gathering.take(part.index, output):
            self._complete(part.gathering, now)

    def _took(self, gathering: Gathering, index: int, output: bytes, now: float) -> None:
        if gathering.take(index, output):
            self._complete(gathering, now)

    def _missed(
        self, gathering: Gathering, index: int, reason: DefaultReason, detail: str | None, now: float
    ) -> None:
        if gathering.miss(index, reason, detail):
            self._complete(gathering, now)

    def _complete(self, gathering: Gathering, now: float) -> None:
        """Answer a query of several models with what has come."""
        if isinstance(gathering, Collection):
            self.deadlines.remove(gathering)
            gathering.finish()
            return
        outcome = gathering.outcome()
        if outcome.output is None:
            assert outcome.reason is not None
            self._answer_default(gathering, outcome.reason, outcome.detail, now, outcome.members)
            return
        self._close(gathering, now)
        application = gathering.application
        late = application.waits and now - gathering.arrived_at > application.slo_s
        application.statistics.late_answers += late
        render = render_late_answer if late else render_answer
        gathering.reply.respond(200, render(gathering.query_id, outcome.output, outcome.members))
        _remember(gathering, gathering.outputs)

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
                self._complete(query, now)
                continue
            target = query.target
            no_replica = target is not None and not target.replicas
            reason = DefaultReason.NO_REPLICA if no_replica else DefaultReason.TIMEOUT
            self._answer_default(query, reason, None, now)

    def purge(self, version: ServedVersion, now: float) -> None:
        """Let go of the queued predictions that nobody waits for any more."""
        for prediction in version.queue.drop_before(now):
            self._forget(prediction)

    def _fail(self, prediction: Prediction, reason: DefaultReason, detail: str | None, now: float) -> None:
        self._forget(prediction)
        for query in prediction.waiters:
            if query.deadline >= 0:
                self._answer_default(query, reason, detail, now)

    def _forget(self, prediction: Prediction) -> None:
        key = prediction.key
        if key is not None and self._in_flight.get(key) is prediction:
            del self._in_flight[key]

    def _answer_default(
        self,
        query: Query,
        reason: DefaultReason,
        detail: str | None,
        now: float,
        members: bytes = NO_MODELS_MEMBER,
    ) -> None:
        if isinstance(query, Part):
            query.deadline = -1.0
            self._missed(query.gathering, query.index, reason, detail, now)
            return
        self._close(query, now)
        application = query.application
        defaults = application.statistics.defaults
        defaults[reason.value] = defaults.get(reason.value, 0) + 1
        if application.on_default is OnDefault.ERROR:
            query.reply.respond(503, render_unavailable(query.query_id, reason, detail))
        else:
            body = render_default(query.query_id, application.default_json, reason, detail, members)
            query.reply.respond(200, body)
        if query.selection is not None:
            asked = query.selection.asked[0]
            _remember(query, query.outputs if isinstance(query, Gathering) else {asked: None})

    def _close(self, query: Query, now: float) -> None:
        """Mark a query as answered without a prediction."""
        self.deadlines.remove(query)
        query.deadline = -1.0
        query.application.statistics.latency.observe(now - query.arrived_at)


def _remember(query: Query, outputs: Outputs) -> None:
    learner = query.application.learner
    if learner is not None:
        assert isinstance(query, Selected)
        learner.remember(query.query_id, query.user, query.selection, outputs)


def _detail(output: bytes) -> str:
    return output.decode(errors="replace")[:_LONGEST_DETAIL]

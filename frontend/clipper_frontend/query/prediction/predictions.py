"""All predictions of one query frontend, from a raw input to a model's output. No I/O, no clock.

An input comes in through find() and ask(), a replica's answer through answered(). An output leaves through
the prediction's waiters. Batches are return values, of dispatch() and of leaving(): the caller sends them,
and reports a replica that turns out to be gone with lost().
"""

from __future__ import annotations

from collections.abc import Callable

from clipper_container.wire import STATUS_MODEL_ERROR, STATUS_OK, Answer
from clipper_frontend.query.bodies.answers import DefaultReason
from clipper_frontend.query.prediction.cache import PredictionCache, cache_key
from clipper_frontend.query.prediction.queue import Prediction, Waiter
from clipper_frontend.query.prediction.replica import Replica
from clipper_frontend.query.prediction.version import OutgoingBatch, ServedVersion

#: A prediction is sent twice at most: once more after its replica was lost.
_MAX_SENDS = 2
_LOST_TWICE = "two replicas in turn were lost while they worked on this input"
_MAX_DETAIL_CHARACTERS = 1000


class Predictions:
    """The cache, and the predictions in flight or queued at all model versions.

    `wake` is called when dispatch() has something to do; it must not call back.
    """

    def __init__(self, cache: PredictionCache, wake: Callable[[], None]) -> None:
        self.cache = cache
        self._caches = cache.enabled
        self._in_flight: dict[bytes, Prediction] = {}
        self._to_dispatch: set[ServedVersion] = set()
        self._wake = wake

    # -- inputs in -------------------------------------------------------------------------------------------

    def find(self, target: ServedVersion, payload: bytes, now: float) -> tuple[bytes | None, bytes | None]:
        """Return an input's cache key, and its output as JSON if it is cached; both None without a cache."""
        prefix = target.cache_prefix
        if self._caches and prefix is not None:
            key = cache_key(prefix, payload)
            cache = self.cache
            output = cache.get(key) if target.cache_ttl_s is None else cache.get_fresh(key, now)
            if output is not None:
                target.statistics.cache_hits += 1
            else:
                target.statistics.cache_misses += 1
            return key, output
        target.statistics.cache_misses += 1
        return None, None

    def ask(
        self, target: ServedVersion, key: bytes | None, payload: bytes, waiter: Waiter, now: float
    ) -> None:
        """Let a waiter have an output by its deadline; if none can come in time, it misses at once."""
        in_flight = self._in_flight.get(key) if key is not None else None
        # A prediction whose waiters have all left may be with a replica that hangs: nobody joins it again.
        if in_flight is not None and in_flight.deadline > now:
            target.statistics.joined += 1
            in_flight.join(waiter)
        elif not target.replicas:
            waiter.miss(DefaultReason.NO_REPLICA, None, now)
        elif not target.admits(waiter.deadline, now):
            waiter.miss(DefaultReason.OVERLOADED, None, now)
        else:
            prediction = Prediction(key, payload, waiter.deadline, waiter)
            if key is not None:
                self._in_flight[key] = prediction
            target.queue.push(prediction)
            self._needs_dispatch(target)

    def purge_sources(self, target: ServedVersion, sources: frozenset[int]) -> None:
        """Keep no output of these sources, neither those that are cached nor those to come."""
        fresh = sources - target.purged_sources
        target.purged_sources = sources
        if fresh and target.cache_prefix is not None:
            self.cache.purge(target.cache_prefix, fresh)

    def abandoned(self, target: ServedVersion) -> None:
        """Note that a waiter has left: before the next batch, what nobody waits for leaves the queue."""
        if target.queue:
            target.has_unwanted = True
            self._needs_dispatch(target)

    def _needs_dispatch(self, version: ServedVersion) -> None:
        if not self._to_dispatch:
            self._wake()
        self._to_dispatch.add(version)

    # -- batches out -----------------------------------------------------------------------------------------

    def dispatch(self, now: float) -> list[OutgoingBatch]:
        """Return the batches to send now, of all versions that changed since the last call."""
        versions, self._to_dispatch = self._to_dispatch, set()
        batches: list[OutgoingBatch] = []
        for version in versions:
            self._dropped(version.dispatch(now, batches), now)
        return batches

    def _dropped(self, predictions: list[Prediction], now: float) -> None:
        """Let waiters of dropped predictions miss at once; overdue ones are left to the deadline timer."""
        for prediction in predictions:
            if prediction.deadline > now:
                self._fail(prediction, DefaultReason.OVERLOADED, None, now)
            else:
                self._forget(prediction)

    # -- outputs in ------------------------------------------------------------------------------------------

    def answered(self, version: ServedVersion, replica: Replica, answer: Answer, now: float) -> None:
        """Resolve the predictions of a batch."""
        statuses = answer.statuses
        run = statuses.count(STATUS_OK) + statuses.count(STATUS_MODEL_ERROR)
        batch = replica.answered(answer.message_id, now, answer.run_micros, learn=run > 0)
        # Even with an empty queue: dispatch() also updates admission.
        self._needs_dispatch(version)
        if batch is None:
            return
        predictions, outputs = batch.predictions, answer.outputs
        ends_at = None if version.cache_ttl_s is None else now + version.cache_ttl_s
        source = None if replica.source in version.purged_sources else replica.source
        if len(outputs) != len(predictions):
            detail = f"the replica gave {len(outputs)} outputs for {len(predictions)} inputs"
            version.statistics.model_errors += len(predictions)
            for prediction in predictions:
                self._fail(prediction, DefaultReason.MODEL_ERROR, detail, now)
            return
        for prediction, output, status in zip(predictions, outputs, statuses, strict=True):
            if status == STATUS_OK:
                self._fulfil(prediction, version.render(output), now, ends_at, source)
            elif status == STATUS_MODEL_ERROR:
                version.statistics.model_errors += 1
                self._fail(prediction, DefaultReason.MODEL_ERROR, _detail(output), now)
            else:
                self._retry(version, prediction, now)

    def _fulfil(
        self, prediction: Prediction, rendered: bytes, now: float, ends_at: float | None, source: int | None
    ) -> None:
        """Give an output to its waiters, and keep it, unless its source is None."""
        key = prediction.key
        if key is not None:
            self._forget(prediction)
            if source is not None:
                self.cache.put(key, rendered, ends_at, source)
        for waiter in prediction.waiters:
            if waiter.deadline >= 0:
                waiter.take(rendered, now)

    # -- replicas come and go -------------------------------------------------------------------------------

    def joined(self, version: ServedVersion, replica: Replica) -> None:
        """Take a replica into the rotation."""
        version.add(replica)
        if version.queue:
            self._needs_dispatch(version)

    def leaving(self, version: ServedVersion, replica: Replica, now: float) -> list[OutgoingBatch]:
        """Take out a replica that finishes what it has; the last one is also sent the whole queue."""
        batches: list[OutgoingBatch] = []
        self._dropped(version.drain(replica, now, batches), now)
        return batches

    def lost(self, version: ServedVersion, replica: Replica, now: float) -> None:
        """Take out a replica that is gone, and queue its predictions again for the others."""
        version.remove(replica)
        version.statistics.lost_replicas += 1
        self._retry_all(version, replica, now)

    def stalled(self, version: ServedVersion, replica: Replica, now: float) -> None:
        """Take a hanging replica out of the rotation until it answers, and queue its predictions again."""
        replica.stalled = True
        version.update_admission()
        self._retry_all(version, replica, now)

    def _retry_all(self, version: ServedVersion, replica: Replica, now: float) -> None:
        for prediction in replica.give_up():
            self._retry(version, prediction, now)

    def _retry(self, version: ServedVersion, prediction: Prediction, now: float) -> None:
        if prediction.deadline <= now or not prediction.is_wanted():
            self._forget(prediction)
        elif prediction.sends < _MAX_SENDS:
            version.statistics.retries += 1
            version.queue.push(prediction)
            self._needs_dispatch(version)
        else:
            self._fail(prediction, DefaultReason.MODEL_ERROR, _LOST_TWICE, now)

    def purge(self, version: ServedVersion, now: float) -> None:
        """Drop the queued predictions whose waiters have all left."""
        for prediction in version.queue.drop_before(now):
            self._forget(prediction)

    def _fail(self, prediction: Prediction, reason: DefaultReason, detail: str | None, now: float) -> None:
        self._forget(prediction)
        for waiter in prediction.waiters:
            if waiter.deadline >= 0:
                waiter.miss(reason, detail, now)

    def _forget(self, prediction: Prediction) -> None:
        key = prediction.key
        if key is not None and self._in_flight.get(key) is prediction:
            del self._in_flight[key]


def _detail(output: bytes) -> str:
    return output.decode(errors="replace")[:_MAX_DETAIL_CHARACTERS]

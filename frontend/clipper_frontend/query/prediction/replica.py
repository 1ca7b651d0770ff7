"""One connected replica: its outstanding batches and its speed. No I/O, no clock.

It answers whether it can take a batch, how large that batch may be, and when an answer is overdue. `version`
decides which predictions it gets; rpc/sessions writes the bytes.
"""

from __future__ import annotations

from clipper_container.input_types import InputType
from clipper_frontend.query.prediction.batching import MAX_BATCH_SIZE, BatchEstimator
from clipper_frontend.query.prediction.queue import Prediction
from clipper_frontend.query.prediction.sources import source_of

#: Batches that may be outstanding at a replica: one in work, and one so that it never waits for work.
_MAX_OUTSTANDING = 2
#: A replica is probed when its oldest batch takes this many times the expected time, and at least this long.
_OVERDUE_FACTOR = 4.0
_MIN_OVERDUE_S = 0.1
#: It leaves the rotation when its oldest batch takes this many times the expected time, and at least this
#: long.
_STALLED_FACTOR = 20.0
_MIN_STALLED_S = 2.0
_MESSAGE_IDS = 2**32
_MICROS_PER_S = 1_000_000
#: The delay is averaged over about the last 20 batches; three mean deviations above it cover most of them.
_DELAY_WEIGHT = 0.05
_DELAY_DEVIATIONS = 3.0
#: A learnt batch may take this many times an empty one's time: at 2, half of the time goes to its inputs.
_MIN_FIXED_TIMES = 2.0


class Batch:
    """Predictions sent together at `sent_at`, and the time that they should take at most, in seconds."""

    __slots__ = ("expected_s", "predictions", "sent_at")

    def __init__(self, predictions: list[Prediction], sent_at: float, expected_s: float) -> None:
        self.predictions = predictions
        self.sent_at = sent_at
        self.expected_s = expected_s


class Replica:
    """A replica in one session; `identity` is the ZeroMQ routing id of its connection.

    `source` is what its outputs are cached under.
    """

    __slots__ = (
        "_busy_since",
        "_delay_deviation_s",
        "_mean_delay_s",
        "_next_id",
        "draining",
        "estimator",
        "identity",
        "input_type",
        "input_type_code",
        "instance_id",
        "last_heard",
        "outstanding",
        "outstanding_inputs",
        "rpc_version",
        "source",
        "stalled",
    )

    def __init__(
        self, identity: bytes, instance_id: str, input_type: InputType, rpc_version: int, now: float
    ) -> None:
        self.identity = identity
        self.instance_id = instance_id
        self.source = source_of(instance_id)
        self.input_type = input_type
        self.input_type_code = input_type.code
        self.rpc_version = rpc_version
        self.last_heard = now
        self.estimator = BatchEstimator()
        #: By message id, in sending order.
        self.outstanding: dict[int, Batch] = {}
        self.outstanding_inputs = 0
        self.draining = False
        self.stalled = False
        self._busy_since = now
        self._mean_delay_s = 0.0
        self._delay_deviation_s = 0.0
        self._next_id = 0

    @property
    def in_rotation(self) -> bool:
        """Return whether it gets batches: it neither drains nor hangs."""
        return not (self.draining or self.stalled)

    def takes(self, queued: int) -> bool:
        """Return whether it can be sent a batch now, if `queued` predictions wait.

        A second batch would only wait behind the first. It is worth sending once it is at least as large:
        until then the queue collects, and batches stay large.
        """
        outstanding = len(self.outstanding)
        if outstanding == 0:
            return self.in_rotation
        return self.in_rotation and outstanding < _MAX_OUTSTANDING and queued >= self.outstanding_inputs

    @property
    def free_at(self) -> float:
        """Return when it should have finished what it has, on the monotonic clock; 0 if it is idle."""
        if not self.outstanding:
            return 0.0
        return self._busy_since + sum(batch.expected_s for batch in self.outstanding.values())

    def batch_limit(self, time_left_s: float, share_s: float, fixed: int) -> int:
        """Return how many inputs a batch may have if it must be answered within `time_left_s`.

        `fixed` is the registered batch size; below 1, the size is learnt. A learnt batch takes at most
        `share_s`, or twice the time of an empty batch if that is longer: a smaller one would mostly pay for
        overhead. Returns 0 if not even one input is expected to be answered in time.
        """
        estimator = self.estimator
        if estimator.expected_s(1) > time_left_s:
            return 0
        if fixed < 1:
            budget_s = max(share_s, _MIN_FIXED_TIMES * estimator.expected_s(0))
            return max(1, estimator.fitting(min(time_left_s, budget_s)))
        return min(fixed, MAX_BATCH_SIZE)

    def sent(self, predictions: list[Prediction], now: float) -> int:
        """Record a batch as outstanding and return its message id."""
        message_id = self._next_id
        self._next_id = (message_id + 1) % _MESSAGE_IDS
        if not self.outstanding:
            self._busy_since = now
        self.outstanding[message_id] = Batch(predictions, now, self.estimator.seconds(len(predictions)))
        self.outstanding_inputs += len(predictions)
        return message_id

    def answered(
        self, message_id: int, now: float, run_micros: int | None, *, learn: bool = True
    ) -> Batch | None:
        """Record a batch as answered and return it; None if it is not outstanding (any more).

        The estimator learns from `run_micros`, the run time that the replica reports, if it reports one. Time
        beyond that is the way there and back and this frontend's own work, which must not make the replica
        look slow: it goes into `delay_s`.
        """
        self.stalled = False
        batch = self.outstanding.pop(message_id, None)
        if batch is None:
            self._busy_since = now
            return None
        count = len(batch.predictions)
        self.outstanding_inputs -= count
        if learn:
            passed_s = now - max(batch.sent_at, self._busy_since)
            run_s = passed_s if run_micros is None else min(run_micros / _MICROS_PER_S, passed_s)
            self.estimator.observe(count, run_s)
            self._learn_delay(passed_s - run_s)
        self._busy_since = now
        return batch

    def _learn_delay(self, delay_s: float) -> None:
        surprise_s = abs(delay_s - self._mean_delay_s)
        self._delay_deviation_s += _DELAY_WEIGHT * (surprise_s - self._delay_deviation_s)
        self._mean_delay_s += _DELAY_WEIGHT * (delay_s - self._mean_delay_s)

    @property
    def delay_s(self) -> float:
        """Return a high estimate of the overhead beside the run time (mean + 3 deviations), in seconds."""
        return self._mean_delay_s + _DELAY_DEVIATIONS * self._delay_deviation_s

    def give_up(self) -> list[Prediction]:
        """Remove and return all outstanding predictions."""
        predictions = [p for batch in self.outstanding.values() for p in batch.predictions]
        self.outstanding.clear()
        self.outstanding_inputs = 0
        return predictions

    def overdue(self, now: float) -> bool:
        """Return whether its oldest batch takes so long that it should be probed."""
        return self._takes_longer(now, _OVERDUE_FACTOR, _MIN_OVERDUE_S)

    def hangs(self, now: float) -> bool:
        """Return whether its oldest batch takes so long that it should get no other."""
        return self._takes_longer(now, _STALLED_FACTOR, _MIN_STALLED_S)

    def _takes_longer(self, now: float, factor: float, min_s: float) -> bool:
        for batch in self.outstanding.values():
            return now - max(batch.sent_at, self._busy_since) > max(factor * batch.expected_s, min_s)
        return False

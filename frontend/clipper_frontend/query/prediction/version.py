"""One model version as a query frontend serves it: its queue, its replicas, admission and dispatch.

Owns which predictions go to which replica, and when a query is refused because it could not be answered in
time. It has no I/O: time is an argument, and batches leave through the list that dispatch() is given.
"""

from __future__ import annotations

from typing import NamedTuple

from clipper_container.input_types import InputType
from clipper_frontend.query.bodies.answers import models_member
from clipper_frontend.query.prediction.prediction import Prediction
from clipper_frontend.query.prediction.queue import DeadlineQueue
from clipper_frontend.query.prediction.replica import Replica
from clipper_frontend.query.prediction.statistics import VersionStatistics
from clipper_frontend.registry.records import ADAPTIVE_BATCH_SIZE

#: However long answers are under way here, so much of the SLO at most is reckoned for that.
_MOST_DELAY_SHARE = 0.25
#: A query waits for the batch in work, for the one behind it, and then for its own: each may take a third of
#: the SLO.
_SHARE_OF_SLO = 1 / 3
#: A prediction is sent at most twice: once more when its replica is lost.
MOST_SENDS = 2


class Outgoing(NamedTuple):
    """A batch that is to be sent to a replica, which has noted it."""

    replica: Replica
    message_id: int
    predictions: list[Prediction]


class ServedVersion:
    """A model version, registered or not, with replicas or without.

    `shortest_slo_s` is the shortest latency SLO of the applications that are linked to its model,
    `input_type` the one it is registered for, or None; `models_member` is what its answers say of it.
    """

    __slots__ = (
        "_delay_s",
        "_free_at",
        "_round_inputs",
        "_round_s",
        "_untried",
        "batch_size",
        "cache_prefix",
        "input_type",
        "label",
        "models_member",
        "name",
        "queue",
        "replicas",
        "shortest_slo_s",
        "statistics",
        "version",
    )

    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self.version = version
        self.label = f"{name}:{version}"
        self.models_member = models_member([self.label])
        self.input_type: InputType | None = None
        self.batch_size = ADAPTIVE_BATCH_SIZE
        self.shortest_slo_s = float("inf")
        self.cache_prefix = b""
        self.queue = DeadlineQueue()
        self.replicas: list[Replica] = []
        self.statistics = VersionStatistics()
        self._round_inputs = 0
        self._round_s = 0.0
        self._delay_s = 0.0
        self._untried = 0
        self._free_at = 0.0

    @property
    def share_s(self) -> float:
        """Return how long one batch may take, in seconds."""
        return self.shortest_slo_s * _SHARE_OF_SLO

    @property
    def wanted_input_type(self) -> InputType | None:
        """Return the input type that a replica must have, or None when any will do."""
        if self.input_type is None and self.replicas:
            return self.replicas[0].input_type
        return self.input_type

    @property
    def ready(self) -> bool:
        """Tell whether some replica is in the rotation."""
        return any(replica.in_rotation for replica in self.replicas)

    def add(self, replica: Replica) -> None:
        """Take a replica into the rotation."""
        self.replicas.append(replica)
        self.learn()

    def remove(self, replica: Replica) -> None:
        """Take a replica out for good; one that is not here is passed over."""
        if replica in self.replicas:
            self.replicas.remove(replica)
            self.learn()

    def learn(self) -> None:
        """Work out anew what admission needs: once for each batch or change, not for each query."""
        self._round_inputs, self._round_s, self._untried, free_at = 0, 0.0, 0, float("inf")
        self._delay_s = 0.0
        for replica in self.replicas:
            if not replica.in_rotation:
                continue
            estimator = replica.estimator
            if not estimator.measured:
                # Nothing is known of it yet, so nothing is refused on its account.
                self._round_inputs = 0
                return
            largest = max(1, replica.batch_limit(self.shortest_slo_s, self.share_s, self.batch_size))
            if largest > estimator.largest:
                self._untried += largest
            self._round_inputs += largest
            self._round_s = max(self._round_s, estimator.expected_s(largest))
            self._delay_s = max(self._delay_s, self._delay_of(replica))
            free_at = min(free_at, replica.free_at)
        self._free_at = free_at

    def admits(self, deadline: float, now: float) -> bool:
        """Tell whether one more prediction should be answered by `deadline`, given what is ahead of it.

        A round is one batch on every replica. It waits for the first replica to be free, then for the rounds
        that those before it in the queue fill, then for its own batch.
        """
        round_inputs, queue = self._round_inputs, self.queue
        # An idle replica gets one whatever is known of it, and a larger batch than any before is filled when
        # it may be: or what is known would never change.
        if not round_inputs or len(queue) < self._untried or not (self._free_at or queue):
            return True
        rounds = queue.ahead_of(deadline) // round_inputs + 1
        return max(now, self._free_at) + rounds * self._round_s + self._delay_s <= deadline

    def _delay_of(self, replica: Replica) -> float:
        """Return the delay to reckon with; bounded, or a busy frontend would refuse everything."""
        return min(replica.delay_s, self.shortest_slo_s * _MOST_DELAY_SHARE)

    def dispatch(self, now: float, batches: list[Outgoing]) -> list[Prediction]:
        """Add a batch for each replica that can take one to `batches`.

        Returns the predictions that were dropped on the way, because they could not be answered in time.
        """
        dropped = self.queue.drop_before(now)
        while self.queue:
            replica = self._free_replica()
            if replica is None:
                break
            self._give(replica, self._next_batch(replica, now, dropped), now, batches)
        self.learn()
        return dropped

    def drain(self, replica: Replica, now: float, batches: list[Outgoing]) -> list[Prediction]:
        """Take a replica out that still answers what it is sent now: the last one gets all queued ones.

        Returns what was dropped on the way, as dispatch() does.
        """
        dropped: list[Prediction] = []
        if self.replicas == [replica]:
            while self.queue:
                self._give(replica, self._next_batch(replica, now, dropped), now, batches)
        self.remove(replica)
        return dropped

    def _give(self, replica: Replica, batch: list[Prediction], now: float, batches: list[Outgoing]) -> None:
        if batch:
            for prediction in batch:
                prediction.sends += 1
            self.statistics.batch_sizes.observe(len(batch))
            batches.append(Outgoing(replica, replica.sent(batch, now), batch))

    def _free_replica(self) -> Replica | None:
        queued = len(self.queue)
        free = [replica for replica in self.replicas if replica.takes(queued)]
        return min(free, key=lambda replica: replica.outstanding_inputs) if free else None

    def _next_batch(self, replica: Replica, now: float, dropped: list[Prediction]) -> list[Prediction]:
        starts_at = max(now, replica.free_at) + self._delay_of(replica)
        passed_over: list[Prediction] = []
        while (first := self.queue.first()) is not None:
            time_left_s = first.deadline - starts_at
            limit = replica.batch_limit(time_left_s, self.share_s, self.batch_size)
            if limit:
                dropped += passed_over
                return self.queue.take(limit)
            passed_over += self.queue.take(1)
        # Nothing can be in time by what is known. An idle replica runs one all the same, or what is known
        # would never change.
        probe = [passed_over.pop()] if passed_over and not replica.outstanding else []
        dropped += passed_over
        return probe

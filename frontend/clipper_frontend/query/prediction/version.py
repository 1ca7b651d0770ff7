"""One model version as a query frontend serves it: its queue, its replicas, admission and dispatch.

Theory of admission
-------------------
A query is refused at once (`overloaded`) if its deadline cannot be met. To decide that, a version reckons in
rounds. One round is one batch on every replica in the rotation:

    round_inputs  inputs in one round: the sum of the replicas' batch limits
    round_s       duration of one round: the expected time of the slowest replica's largest batch
    free_at       time at which the first replica has finished everything that was sent to it
    delay_s       time for the way to the replica and back, beyond the run itself

A new query with `ahead` predictions before it in the queue runs in round `ahead // round_inputs + 1`, so it
is answered at about

    max(now, free_at) + (ahead // round_inputs + 1) * round_s + delay_s

and is admitted if that is not after its deadline. These figures change per batch, per replica and per SLO,
not per query: update_admission() computes them, admits() only reads them.

Three exceptions keep the version from locking itself out on figures that are unknown or outdated:

1. A replica that has answered nothing yet has no figures: while one is in the rotation, all are admitted.
2. An idle replica gets a query whatever its figures say, or they would never be corrected.
3. If a replica may take a larger batch than it ever has, the queue may fill up to that size: a larger batch
   is the only way to learn the slope of its line (see `batching`).

Theory of batch sizes
---------------------
A query waits for up to three batches: the one in work, the one behind it, and its own. Each may therefore
take a third of the shortest SLO (`share_s`). A batch must also be answered before the earliest deadline in
it. The limit of a batch is the largest size that fits into both; a registered `batch_size` overrides the
first.

`delay_s` is learnt from the frontend's own clock, so it also grows when the frontend is busy. It is capped at
a quarter of the SLO: without the cap a busy frontend refuses everything, its clients ask again at once, and
it stays busy (the state is metastable).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from clipper_container.input_types import InputType
from clipper_frontend.query.bodies.answers import models_member, output_json
from clipper_frontend.query.prediction.queue import DeadlineQueue, Prediction
from clipper_frontend.query.prediction.replica import Replica
from clipper_frontend.query.prediction.statistics import VersionStatistics
from clipper_frontend.registry.records import ADAPTIVE_BATCH_SIZE

#: Cap on the share of the SLO reserved for the way there and back; see "Theory of batch sizes".
_MAX_DELAY_SHARE = 0.25
#: Share of the SLO that one batch may take: a query waits for three of them.
_BATCH_SHARE = 1 / 3


class OutgoingBatch(NamedTuple):
    """A batch for a replica, which already counts it as outstanding; the caller sends it."""

    replica: Replica
    message_id: int
    predictions: list[Prediction]


class ServedVersion:
    """A model version, registered or not, with replicas or without.

    `shortest_slo_s` is the shortest latency SLO of the applications linked to its model, in seconds.
    `input_type` is the registered one, or None. `models_member` is the JSON member that names this version in
    answers. `render` makes JSON of an output. The keys of cached outputs begin with `cache_prefix`, which is
    None if none are kept; they are kept for `cache_ttl_s` seconds, by None for as long as there is room. What
    comes from `purged_sources` is not kept.
    """

    __slots__ = (
        "_delay_s",
        "_free_at",
        "_round_inputs",
        "_round_s",
        "_untried_inputs",
        "batch_size",
        "cache_prefix",
        "cache_ttl_s",
        "has_unwanted",
        "input_type",
        "label",
        "models_member",
        "name",
        "purged_sources",
        "queue",
        "render",
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
        self.render: Callable[[bytes], bytes] = output_json
        self.cache_prefix: bytes | None = b""
        self.cache_ttl_s: float | None = None
        self.purged_sources: frozenset[int] = frozenset()
        self.queue = DeadlineQueue()
        #: Whether a client has gone since dispatch() last looked for predictions that nobody waits for.
        self.has_unwanted = False
        self.replicas: list[Replica] = []
        self.statistics = VersionStatistics()
        self._round_inputs = 0
        self._round_s = 0.0
        self._delay_s = 0.0
        self._untried_inputs = 0
        self._free_at = 0.0

    @property
    def share_s(self) -> float:
        """Return how long one batch may take, in seconds."""
        return self.shortest_slo_s * _BATCH_SHARE

    @property
    def wanted_input_type(self) -> InputType | None:
        """Return the input type that a replica must have, or None if any will do."""
        if self.input_type is None and self.replicas:
            return self.replicas[0].input_type
        return self.input_type

    @property
    def ready(self) -> bool:
        """Return whether a replica is in the rotation."""
        return any(replica.in_rotation for replica in self.replicas)

    def add(self, replica: Replica) -> None:
        """Take a replica into the rotation."""
        self.replicas.append(replica)
        self.update_admission()

    def remove(self, replica: Replica) -> None:
        """Take a replica out for good; ignore one that is not here."""
        if replica in self.replicas:
            self.replicas.remove(replica)
            self.update_admission()

    def update_admission(self) -> None:
        """Compute the figures that admits() reads; call it after each batch and each change of replicas."""
        self._round_inputs, self._round_s, self._untried_inputs, free_at = 0, 0.0, 0, float("inf")
        self._delay_s = 0.0
        for replica in self.replicas:
            if not replica.in_rotation:
                continue
            estimator = replica.estimator
            if not estimator.measured:
                self._round_inputs = 0  # exception 1 of the theory above
                return
            limit = max(1, replica.batch_limit(self.shortest_slo_s, self.share_s, self.batch_size))
            if limit > estimator.largest:
                self._untried_inputs += limit
            self._round_inputs += limit
            self._round_s = max(self._round_s, estimator.expected_s(limit))
            self._delay_s = max(self._delay_s, self._capped_delay_s(replica))
            free_at = min(free_at, replica.free_at)
        self._free_at = free_at

    def admits(self, deadline: float, now: float) -> bool:
        """Return whether one more prediction should be answered by `deadline`; see the theory above."""
        round_inputs, queue = self._round_inputs, self.queue
        if not round_inputs or len(queue) < self._untried_inputs or not (self._free_at or queue):
            return True  # exceptions 1, 3 and 2
        rounds = queue.ahead_of(deadline) // round_inputs + 1
        return max(now, self._free_at) + rounds * self._round_s + self._delay_s <= deadline

    def _capped_delay_s(self, replica: Replica) -> float:
        return min(replica.delay_s, self.shortest_slo_s * _MAX_DELAY_SHARE)

    def dispatch(self, now: float, batches: list[OutgoingBatch]) -> list[Prediction]:
        """Append to `batches` one batch for each replica that can take one.

        Returns the predictions dropped on the way because they could not be answered in time.
        """
        dropped = self.queue.drop_before(now)
        if self.has_unwanted:
            dropped += self._drop_unwanted()
        while self.queue:
            replica = self._free_replica()
            if replica is None:
                break
            self._assign(replica, self._next_batch(replica, now, dropped), now, batches)
        self.update_admission()
        return dropped

    def drain(self, replica: Replica, now: float, batches: list[OutgoingBatch]) -> list[Prediction]:
        """Take out a replica that still answers what it is sent now; the last one gets the whole queue.

        Appends to `batches` and returns dropped predictions as dispatch() does.
        """
        dropped = self._drop_unwanted() if self.has_unwanted else []
        if self.replicas == [replica]:
            while self.queue:
                self._assign(replica, self._next_batch(replica, now, dropped), now, batches)
        self.remove(replica)
        return dropped

    def _drop_unwanted(self) -> list[Prediction]:
        self.has_unwanted = False
        return self.queue.drop_unwanted()

    def _assign(
        self, replica: Replica, batch: list[Prediction], now: float, batches: list[OutgoingBatch]
    ) -> None:
        if batch:
            for prediction in batch:
                prediction.sends += 1
            self.statistics.batch_sizes.observe(len(batch))
            batches.append(OutgoingBatch(replica, replica.sent(batch, now), batch))

    def _free_replica(self) -> Replica | None:
        queued = len(self.queue)
        free = [replica for replica in self.replicas if replica.takes(queued)]
        return min(free, key=lambda replica: replica.outstanding_inputs) if free else None

    def _next_batch(self, replica: Replica, now: float, dropped: list[Prediction]) -> list[Prediction]:
        starts_at = max(now, replica.free_at) + self._capped_delay_s(replica)
        hopeless: list[Prediction] = []
        while (first := self.queue.first()) is not None:
            time_left_s = first.deadline - starts_at
            limit = replica.batch_limit(time_left_s, self.share_s, self.batch_size)
            if limit:
                dropped += hopeless
                return self.queue.take(limit)
            hopeless += self.queue.take(1)
        # Nothing can be in time by the figures. An idle replica runs one prediction all the same (exception
        # 2).
        probe = [hopeless.pop()] if hopeless and not replica.outstanding else []
        dropped += hopeless
        return probe

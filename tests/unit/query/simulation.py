"""A query frontend's core in virtual time, with replicas whose speed is given: no sockets, no clock.

Queries are asked with ask(), time passes with run_until(); every reply is kept with the time at which it
came.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from clipper_container import wire
from clipper_container.input_types import InputType
from clipper_frontend.query.prediction.cache import PredictionCache
from clipper_frontend.query.prediction.predictions import Predictions
from clipper_frontend.query.prediction.versions import Versions
from clipper_frontend.query.rpc.sessions import Sessions
from clipper_frontend.query.serving.application import Learners
from clipper_frontend.query.serving.query import Work
from clipper_frontend.query.serving.routes import Routes
from clipper_frontend.query.serving.selecting import Selecting
from clipper_frontend.query.serving.serving import Serving
from clipper_frontend.registry.keys import Database
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.records import ApplicationRecord, ModelRecord, OnDefault

_SWEEP_S = 0.1


class SimulatedReply:
    """Keeps the answer to one query, and when it came."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self.asked_at = simulation.now
        self.answered_at: float | None = None
        self.work: Work | None = None
        self.status = 0
        self.answer: dict[str, Any] = {}

    def respond(self, status: int, body: bytes) -> None:
        assert self.answered_at is None, "a query is answered once"
        self.answered_at = self._simulation.now
        self.status = status
        self.answer = json.loads(body)

    @property
    def latency_s(self) -> float:
        assert self.answered_at is not None, "the query was never answered"
        return self.answered_at - self.asked_at

    @property
    def reason(self) -> str | None:
        return self.answer.get("default_reason")


class SimulatedReplica:
    """A container that works on one batch at a time; `seconds(n)` says for how long.

    Its outputs are the sums of inputs, or `says`.
    """

    def __init__(
        self, simulation: Simulation, identity: bytes, rpc_version: int, seconds: Callable[[int], float]
    ) -> None:
        self.simulation = simulation
        self.identity = identity
        self.rpc_version = rpc_version
        self.seconds = seconds
        self.alive = True
        self.busy_until = 0.0
        self.batches: list[list[bytes]] = []
        self.refusals: list[str] = []
        self.peers: dict[str, str] = {}
        self.fails_on: bytes | None = None
        self.says: bytes | None = None

    def take(self, message: wire.FromFrontend) -> None:
        if isinstance(message, wire.Refusal):
            self.refusals.append(message.reason)
        elif isinstance(message, wire.FrontendHeartbeat):
            self.peers = message.peers or {}
        else:
            self.batches.append(list(message.inputs))
            start = max(self.simulation.now, self.busy_until)
            self.busy_until = start + self.seconds(len(message.inputs))
            self.simulation.at(self.busy_until, partial(self._answer, message))

    def _answer(self, request: wire.Request) -> None:
        if not self.alive:
            return
        outputs = [self.says or b"%.17g" % np.frombuffer(payload).sum() for payload in request.inputs]
        statuses = bytearray(len(outputs))
        for index, payload in enumerate(request.inputs):
            if payload == self.fails_on:
                outputs[index], statuses[index] = b"ValueError: no", wire.STATUS_MODEL_ERROR
        run_micros = int(self.seconds(len(request.inputs)) * 1e6)
        answer = wire.Answer(request.message_id, outputs, bytes(statuses), run_micros)
        self.simulation.deliver(self, wire.encode_answer(answer))


class Simulation:
    """One frontend with applications and models as the registry would tell it."""

    def __init__(self, *, cache_bytes: int = 0, learners: Learners | None = None) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._woken = False
        self.mirror = Mirror()
        versions = Versions()
        predictions = Predictions(PredictionCache(cache_bytes), self._wake)
        self.routes = Routes(
            self.mirror, versions, predictions, max_inputs=100, wait_limit_s=30.0, learners=learners
        )
        self.serving = Serving(predictions, lambda: None, itertools.count().__next__)
        self.selecting = Selecting(self.serving)
        self.changes = 0
        self.seats: list[tuple[int, bool]] = []
        self.sessions = Sessions(
            "front",
            "test",
            versions,
            predictions,
            self._send,
            self._changed,
            lambda *seat: self.seats.append(seat),
        )
        self.replicas: dict[bytes, SimulatedReplica] = {}
        self.at(_SWEEP_S, self._sweep)

    # -- the registry ----------------------------------------------------------------------------------------

    def application(
        self,
        name: str = "app",
        slo_s: float = 0.1,
        on_default: OnDefault = OnDefault.DEFAULT,
        policy: dict[str, Any] | None = None,
    ) -> None:
        record = ApplicationRecord(
            name,
            InputType.DOUBLES,
            "DefaultOutputSelectionPolicy" if policy is None else policy["name"],
            "-1.0",
            int(slo_s * 1e6),
            on_default,
            "" if policy is None else json.dumps(policy),
        )
        self.registry(Database.APPLICATIONS, name, record.to_hash())

    def model(
        self,
        version: str = "1",
        batch_size: int = -1,
        registration_id: str = "x",
        name: str = "model",
        **options: Any,
    ) -> None:
        record = ModelRecord(
            name,
            version,
            InputType.DOUBLES,
            batch_size=batch_size,
            registration_id=registration_id,
            **options,
        )
        self.registry(Database.MODELS, f"{name}:{version}", record.to_hash())
        self.registry(Database.METADATA, f"CURRENT_MODEL_VERSION:{name}", version)

    def link(self, application: str = "app", *models: str) -> None:
        self.registry(Database.LINKS, application, frozenset(models or {"model"}))

    def registry(self, database: Database, key: str, value: Any) -> None:
        changes = self.mirror.apply([(database, key, value)])
        self.routes.apply(changes)
        self.sessions.revalidate(self.now)

    # -- containers ------------------------------------------------------------------------------------------

    def replica(
        self,
        seconds: Callable[[int], float] = lambda n: 0.001,
        *,
        version: str = "1",
        rpc_version: int = wire.V4,
        instance: str | None = None,
        cluster: str = "test",
        code: int = 3,
        name: str = "model",
        says: bytes | None = None,
    ) -> SimulatedReplica:
        identity = b"id%d" % next(self._sequence)
        replica = self.replicas[identity] = SimulatedReplica(self, identity, rpc_version, seconds)
        replica.says = says
        metadata = wire.Metadata(name, version, code, rpc_version, cluster, instance or identity.decode())
        self.deliver(replica, wire.encode_metadata(metadata))
        return replica

    def kill(self, replica: SimulatedReplica) -> None:
        replica.alive = False
        self.sessions.probe_all(self.now)

    def deliver(self, replica: SimulatedReplica, frames: list[bytes]) -> None:
        self.sessions.received([replica.identity, *frames], self.now)

    def _send(self, identity: bytes, frames: list[bytes]) -> bool:
        replica = self.replicas.get(identity)
        if replica is None or not replica.alive:
            return False
        replica.take(wire.decode_from_frontend(frames))
        return True

    # -- queries and time ------------------------------------------------------------------------------------

    def ask(
        self,
        value: float,
        application: str = "app",
        version: str | None = None,
        *,
        user: str | None = None,
        waited_s: float = 0.0,
    ) -> SimulatedReply:
        reply = SimulatedReply(self)
        found = self.routes.applications[application]
        payload = np.array([value]).tobytes()
        if version is None and not found.has_one_target:
            self.selecting.select(found, user, payload, reply, self.now, waited_s)
            return reply
        target = found.target if version is None else self.routes.registered(found.model, version)
        self.serving.submit(found, target, payload, reply, self.now, None, waited_s)
        return reply

    def at(self, when: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when, next(self._sequence), call))

    def run_until(self, until: float) -> None:
        self._turn()
        while (when := self._next_time()) <= until:
            self.now = max(self.now, when)
            self.serving.expire(self.now)
            while self._events and self._events[0][0] <= self.now:
                heapq.heappop(self._events)[2]()
            self._turn()
        self.now = until

    def _next_time(self) -> float:
        due = self.serving.deadlines.next_due()
        event = self._events[0][0] if self._events else float("inf")
        return min(event, float("inf") if due is None else due)

    def _turn(self) -> None:
        while self._woken:
            self._woken = False
            self.sessions.send_batches(self.serving.predictions.dispatch(self.now), self.now)

    def _wake(self) -> None:
        self._woken = True

    def _changed(self) -> None:
        self.changes += 1

    def _sweep(self) -> None:
        for replica in self.replicas.values():
            if replica.alive and replica.rpc_version == wire.V4:
                self.deliver(replica, wire.encode_container_heartbeat())
        self.sessions.sweep(self.now)
        self.at(self.now + _SWEEP_S, self._sweep)


def cluster(slo_s: float = 0.1, batch_size: int = -1, cache_bytes: int = 0, **application: Any) -> Simulation:
    """Return a simulation with one application linked to one model, without replicas."""
    simulation = Simulation(cache_bytes=cache_bytes)
    simulation.application(slo_s=slo_s, **application)
    simulation.model(batch_size=batch_size)
    simulation.link()
    return simulation

"""The serving of one replica: take batches from the sessions, run them on the model, send the answers.

The main thread does all of it, so that a batch crosses no queue and wakes no other thread. While the main
thread is inside the model, the keeper thread looks after the sessions: heartbeats go on, losses are noticed,
batches get the time of their arrival, and SIGTERM is answered with goodbyes. One lock guards sessions and
sockets.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from typing import Optional

from clipper_container.metrics import ModelMetrics
from clipper_container.process.shared import Shared
from clipper_container.rpc.peers import Peers
from clipper_container.rpc.sessions import Job, Sessions
from clipper_container.rpc.sockets import Lost, Received, Sockets
from clipper_container.rpc.wakeup import Wakeup
from clipper_container.serving.runner import BatchResult, Runner
from clipper_container.settings import Settings
from clipper_container.wire import STATUS_MODEL_ERROR, V4, Metadata

_LOG = logging.getLogger("clipper.container")
#: The keeper looks after the sessions once a batch has run this long. It wakes by its own clock, not by an
#: event for each batch, which would cost more than a small batch itself.
_KEEPER_TICK_S = 0.1
_MAX_WAIT_S = 60.0
_LINGER_MS = 1000


class Runtime:
    """One replica of one model, from its first dial to its goodbye."""

    def __init__(
        self, settings: Settings, runner: Runner, metrics: ModelMetrics, wakeup: Wakeup, shared: Shared
    ) -> None:
        self._settings = settings
        self._runner = runner
        self._metrics = metrics
        self._wakeup = wakeup
        self._shared = shared
        self._input_type_code = settings.input_type.code
        self._lock = threading.Lock()
        self._sockets = Sockets(wakeup, settings.dns_server)
        peers = Peers(settings.rpc_addresses, proxy_only=settings.rpc_proxy_only, rng=random.Random())
        self._sessions = Sessions(_metadata(settings), peers, self._sockets)
        self._upkeep_at = -math.inf
        self._drain_until = math.inf
        self._busy_since: Optional[float] = None
        self._is_done = threading.Event()

    def serve(self) -> None:
        """Serve until a signal asks to stop, and all batches that were taken are answered or out of time."""
        keeper = threading.Thread(target=self._keep, name="clipper-keeper", daemon=True)
        keeper.start()
        try:
            while True:
                with self._lock:
                    job = self._next_job()
                    if job is None:
                        return
                    self._busy_since = time.monotonic()
                self._serve_job(job)
        finally:
            self._is_done.set()
            keeper.join()
            self._sockets.close_all(_LINGER_MS)

    def not_live_reason(self) -> str:
        """Return how long the model has hung, as text; empty while it does not hang. Thread-safe."""
        since = self._runner.predicting_since
        if since is None:
            return ""
        running_s = time.monotonic() - since
        if running_s < self._settings.hang_timeout_s:
            return ""
        return f"the model has been running one batch for {running_s:.1f} s"

    def not_ready_reason(self) -> str:
        """Return why no batch can come; empty while one can. Thread-safe."""
        return self._sessions.not_ready_reason()

    # -- the main thread -------------------------------------------------------------------------------------

    def _serve_job(self, job: Job) -> None:
        started_at = time.monotonic()
        result = self._run(job)
        ended_at = time.monotonic()
        with self._lock:
            self._busy_since = None
            run_s = ended_at - started_at
            self._sessions.answer(job, result.outputs, result.statuses, ended_at, run_s=run_s)
        self._metrics.observe_batch(run_s, result.statuses, result.non_finite)

    def _run(self, job: Job) -> BatchResult:
        request = job.request
        if request.input_type_code == self._input_type_code:
            return self._runner.run(request.inputs, job.deadline)
        count = len(request.inputs)
        text = (
            f"the batch has inputs of type {request.input_type_code}, the model takes {self._input_type_code}"
        )
        return BatchResult([text.encode()] * count, bytes([STATUS_MODEL_ERROR]) * count)

    def _next_job(self) -> Optional[Job]:
        """Wait for the next batch and return it; None if this replica must end."""
        while True:
            now = self._collect(may_wait=not self._sessions.pending)
            if now >= self._drain_until:
                _LOG.warning(
                    "stopping with %d batches unanswered: the drain timeout has passed",
                    len(self._sessions.pending),
                )
                return None
            job = self._sessions.next_job()
            if job is not None or self._sessions.is_settled(now):
                return job

    # -- with the lock held, by the main thread or the keeper ------------------------------------------------

    def _collect(self, *, may_wait: bool) -> float:
        """Handle all events that have arrived, do the upkeep that is due, and return the time."""
        wait_s = min(self._upkeep_at, self._drain_until) - time.monotonic() if may_wait else 0.0
        events = self._sockets.poll(math.ceil(max(0.0, min(wait_s, _MAX_WAIT_S)) * 1000))
        now = time.monotonic()
        for event in events:
            if isinstance(event, Received):
                self._sessions.received(event.link, event.frames, now)
            elif isinstance(event, Lost):
                self._sessions.disconnected(event.link, event.reason, now)
            else:
                self._heed_signals(now)
        if self._sessions.needs_upkeep or now >= self._upkeep_at:
            self._upkeep_at = self._sessions.upkeep(now)
        return now

    def _heed_signals(self, now: float) -> None:
        for signum in self._wakeup.stop_signals():
            if self._drain_until < math.inf:
                _LOG.warning("stopping at once, on a second signal")
                self._shared.exit_now(128 + signum)
            _LOG.info(
                "stopping on a signal: answering the batches taken, for up to %g s",
                self._settings.drain_timeout_s,
            )
            self._drain_until = now + self._settings.drain_timeout_s
            self._sessions.say_goodbye(now)

    # -- the keeper thread -----------------------------------------------------------------------------------

    def _keep(self) -> None:
        try:
            while not self._is_done.wait(_KEEPER_TICK_S):
                if self._shared.is_orphaned():
                    self._shared.exit_now(1)
                busy_since = self._busy_since
                if busy_since is not None and time.monotonic() - busy_since >= _KEEPER_TICK_S:
                    self._keep_once()
        except Exception:  # noqa: BLE001 - the root of this thread: without it the replica would be lost silently
            _LOG.exception("the keeper thread failed")
            self._shared.exit_now(1)

    def _keep_once(self) -> None:
        with self._lock:
            if self._busy_since is None:
                return
            now = self._collect(may_wait=False)
        if now >= self._drain_until:
            _LOG.warning("stopping with a batch still running: the drain timeout has passed")
            self._shared.exit_now(0)


def _metadata(settings: Settings) -> Metadata:
    return Metadata(
        settings.model_name,
        settings.model_version,
        settings.input_type.code,
        V4,
        settings.cluster_name,
        settings.instance_id,
    )

"""The assembly of a query frontend: sockets, core and registry, and the order of their start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import secrets
import socket
import time
from importlib.metadata import version as distribution_version
from pathlib import Path

from clipper_frontend.budget import BodyBudget
from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.query.feedback.loop import FeedbackLoop
from clipper_frontend.query.http.connections import Connections
from clipper_frontend.query.http.exchange import Handler
from clipper_frontend.query.http.listeners import Handover, take_listeners
from clipper_frontend.query.http.protocol import HttpProtocol
from clipper_frontend.query.metrics import QueryCollector, metrics_source
from clipper_frontend.query.prediction.cache import PredictionCache
from clipper_frontend.query.prediction.predictions import Predictions
from clipper_frontend.query.prediction.versions import Versions
from clipper_frontend.query.presence import Presence
from clipper_frontend.query.readiness import Readiness
from clipper_frontend.query.rest.admin import AdminHandler
from clipper_frontend.query.rest.calls import RestHandler
from clipper_frontend.query.rpc.sessions import Sessions
from clipper_frontend.query.rpc.socket import RpcSocket
from clipper_frontend.query.serving.query_ids import QueryIds
from clipper_frontend.query.serving.routes import Routes
from clipper_frontend.query.serving.selecting import Selecting
from clipper_frontend.query.serving.serving import Serving
from clipper_frontend.query.settings import QuerySettings
from clipper_frontend.query.timers import Timers
from clipper_frontend.registry.following.follower import Follower
from clipper_frontend.registry.mirror import Changes
from clipper_frontend.registry.records import FrontendRecord
from clipper_frontend.registry.store import Store
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query")

_LISTEN_BACKLOG = 1024
#: A client that was answered a moment ago may be sending its next query.
_RETIREMENT_S = 2.0
#: While this frontend gets ready, the one that it takes the place of accepts what comes.
_ACCEPT_WITHIN_S = 15.0
_READY_POLL_S = 0.02
_JOIN_RETRY_S = 1.0
_KEY_BYTES = 32


class QueryFrontend:
    """One query frontend in this process."""

    def __init__(self, settings: QuerySettings) -> None:
        self._settings = settings
        redis = settings.common.redis
        self._store = Store(redis)
        self._follower = Follower(redis, self, frontend_id=settings.frontend_id)
        self._mirror = self._follower.mirror
        self._timers = Timers()
        self._query_ids = QueryIds(secrets.token_bytes(_KEY_BYTES))
        predictions = Predictions(PredictionCache(settings.prediction_cache_bytes), self._timers.wake)
        self._serving = Serving(predictions, self._timers.due_sooner, self._query_ids.next)
        self._selecting = Selecting(self._serving)
        self._feedback = FeedbackLoop(self._store, settings.feedback)
        versions = Versions()
        self._routes = Routes(
            self._mirror,
            versions,
            predictions,
            max_inputs=settings.max_inputs,
            wait_limit_s=settings.wait_limit_s,
            learners=self._feedback.learners,
        )
        self._rpc = RpcSocket(settings.rpc_host, settings.rpc_port, settings.max_rpc_message_bytes)
        self._sessions = Sessions(
            settings.frontend_id,
            settings.common.cluster_name,
            versions,
            predictions,
            self._rpc.send,
            self._replicas_changed,
            self._rpc.seated,
        )
        self._readiness = Readiness(self._mirror, versions)
        bodies = BodyBudget(settings.limits.body_memory_bytes)
        self._connections = Connections(settings.limits.sweep_interval_s, bodies)
        self._admin_connections = Connections(bodies=bodies)
        self._servers: list[asyncio.Server] = []
        self._taken: list[asyncio.Server] = []
        self._handover: Handover | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._presence: Presence | None = None

    # -- life cycle ------------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then drain.

        Raises OSError if a port cannot be bound, and ClusterMismatch if Redis belongs to another cluster.
        """
        try:
            rest, admin = await self._listen()
            self._timers.start(self._serving, self._sessions)
            self._rpc.start(
                asyncio.get_running_loop(),
                self._sessions.received,
                self._sessions.members,
                self._timers.disconnected,
            )
            logger.info("listening: rest=%s rpc=%s admin=%s", rest, self._rpc_address(), admin)
            joined = await self._join_cluster(stop)
            if joined:
                self._presence = Presence(
                    self._store, self._record(admin), self._query_ids, self._mirror, self._sessions.replicas
                )
                self._feedback.start()
                self._follower.start(self._store.epoch)
                self._presence.start()
                self._accepting = asyncio.create_task(self._accept_taken(), name="accepting")
                await stop.wait()
                await self._drain()
        finally:
            await self._close()

    async def _listen(self) -> tuple[str, str]:
        common = self._settings.common
        updates = self._feedback.handler(self._selecting, self._mirror, self._query_ids)
        collector = QueryCollector(
            self._routes,
            self._serving,
            self._sessions,
            self._rpc.lobby,
            self._connections,
            self._feedback.guesses,
            self._readiness,
        )
        admin = AdminHandler(self._readiness, metrics_source(collector), updates)
        rest = RestHandler(self._routes, self._serving, self._selecting, self._readiness, admin, updates)
        rest_address = await self._serve_queries(rest)
        admin_address = ""
        if common.admin_port is not None:
            admin_address = await self._serve(
                admin, common.admin_host, common.admin_port, self._admin_connections
            )
        return rest_address, admin_address

    async def _serve_queries(self, rest: Handler) -> str:
        """Listen for queries at sockets that are taken over, else at one of this process's own."""
        settings = self._settings
        own_name = Path(settings.handover_socket or "").name
        listeners = take_listeners(settings.take_listeners, None if settings.stand_in else own_name)
        for _, listener in listeners:
            server = await asyncio.get_running_loop().create_server(
                lambda: HttpProtocol(rest, settings.limits, self._connections),
                sock=listener.dup(),
                backlog=_LISTEN_BACKLOG,
                start_serving=False,
            )
            self._taken.append(server)
        address = f"{settings.common.host}:{settings.port}"
        if not listeners:
            address = await self._serve(
                rest, settings.common.host, settings.port, self._connections, reuse_port=settings.reuse_port
            )
            own = self._servers[0].sockets
            listeners = [(own_name, socket.socket(fileno=os.dup(each.fileno()))) for each in own]
        if settings.handover_socket:
            self._handover = Handover(settings.handover_socket, listeners)
            self._handover.start()
        for _, listener in listeners:
            listener.close()
        return address

    async def _accept_taken(self) -> None:
        """Accept connections from sockets that were taken over, once this frontend is ready."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ACCEPT_WITHIN_S):
                # Readiness also comes with time, so there is no event to wait for.
                while self._taken and self._readiness.not_ready(time.monotonic()):  # noqa: ASYNC110
                    await asyncio.sleep(_READY_POLL_S)
        for server in self._taken:
            await server.start_serving()

    async def _serve(
        self, handler: Handler, host: str, port: int, connections: Connections, *, reuse_port: bool = False
    ) -> str:
        limits = self._settings.limits
        server = await asyncio.get_running_loop().create_server(
            lambda: HttpProtocol(handler, limits, connections),
            host,
            port,
            reuse_port=reuse_port or None,
            backlog=_LISTEN_BACKLOG,
        )
        self._servers.append(server)
        return f"{host}:{server.sockets[0].getsockname()[1]}"

    async def _join_cluster(self, stop: asyncio.Event) -> bool:
        """Mark Redis as this cluster's once it can be reached; return False if `stop` is set before."""
        warned = False
        while not stop.is_set():
            try:
                await self._store.join_cluster(self._settings.common.cluster_name)
                await self._take_numbers()
                return True
            except RegistryUnavailable as exc:
                if not warned:
                    logger.warning("%s; waiting for it", exc)
                warned = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_JOIN_RETRY_S):
                    await stop.wait()
        return False

    async def _take_numbers(self) -> None:
        """Take numbers for query ids, one of them in reserve."""
        while self._query_ids.wants_number():
            self._query_ids.add(await self._store.take_number())

    async def _drain(self) -> None:
        """Fail readiness, serve on for the set delay, then finish the queries in work."""
        common = self._settings.common
        logger.info(
            "draining: serving on for %g s, then up to %g s", common.drain_delay_s, common.drain_timeout_s
        )
        self._readiness.draining = True
        if self._presence is not None:
            await self._presence.close()
        await asyncio.sleep(common.drain_delay_s)
        await self._stop_accepting()
        self._connections.start_draining()
        aborted = await self._connections.wait_closed(common.drain_timeout_s)
        if aborted:
            logger.warning("%d connections were cut: their queries took too long", aborted)

    async def _stop_accepting(self) -> None:
        """Accept no more queries; if another process does instead, send the clients there."""
        if self._accepting is not None:
            await end_task(self._accepting)
        for server in self._taken or self._servers[:1]:
            server.close()
        if self._handover is not None:
            self._handover.close()
            if self._handover.was_taken:
                await self._connections.retire(_RETIREMENT_S)

    async def _close(self) -> None:
        if self._accepting is not None:
            await end_task(self._accepting)
        if self._handover is not None:
            self._handover.close()
        if self._presence is not None:
            await self._presence.close()
        await self._feedback.close()
        await self._follower.close()
        await self._store.close()
        for server in (*self._servers, *self._taken):
            server.close()
        for connections in (self._connections, self._admin_connections):
            connections.start_draining()
            await connections.wait_closed(0.0)
        self._timers.stop()
        self._rpc.close()
        logger.info("stopped")

    # -- events --------------------------------------------------------------------------------------

    def _replicas_changed(self) -> None:
        if self._presence is not None:
            self._presence.wake()

    def registry_changed(self, changes: Changes) -> None:
        """Apply changes of the registry."""
        self._routes.apply(changes)
        if changes.models:
            self._sessions.revalidate(time.monotonic())
            self._routes.forget_idle()
        if changes.frontends:
            self._publish_peers()
        if self._presence is not None and (changes.models or changes.frontends):
            self._presence.wake()

    def registry_followed(self) -> None:
        """Note that the registry was read in full."""
        self._readiness.registry_followed(time.monotonic())
        self._publish_peers()
        if self._presence is not None:
            self._presence.forget()

    def registry_replaced(self) -> None:
        """Serve on from what is known, and claim this frontend's numbers."""
        self._readiness.replaced = True
        if self._presence is not None:
            self._presence.wake()

    def _publish_peers(self) -> None:
        peers = {frontend.id: frontend.rpc_address for frontend in self._mirror.frontends.values()}
        peers[self._settings.frontend_id] = self._rpc_address()
        self._sessions.set_peers(peers)

    def _rpc_address(self) -> str:
        return self._settings.advertise_rpc or f"{self._settings.rpc_host}:{self._rpc.port}"

    def _record(self, admin_address: str) -> FrontendRecord:
        return FrontendRecord(
            id=self._settings.frontend_id,
            rpc_address=self._rpc_address(),
            admin_address=self._settings.advertise_admin or admin_address,
            version=distribution_version("clipper-nomad"),
            peer_address=self._settings.advertise_peer or "",
            started_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

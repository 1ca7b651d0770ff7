"""The management frontend's lifecycle: listening, joining the cluster, and draining on a signal.

It holds the sockets, the store and the barrier, and orders the steps of start and stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from clipper_frontend.budget import BodyBudget
from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.management.guard import Guard
from clipper_frontend.management.http import make_admin_app, make_rest_app
from clipper_frontend.management.metrics import ManagementMetrics
from clipper_frontend.management.reading import BodyReader
from clipper_frontend.management.state import ServingState
from clipper_frontend.registry.following.barrier import Barrier
from clipper_frontend.registry.store import Store
from clipper_frontend.settings import CommonSettings

logger = logging.getLogger("clipper.management")

#: A connection without a complete request for this long is closed.
IDLE_TIMEOUT_S = 75.0
#: Requests that are still in progress after the draining are given up soon.
SHUTDOWN_TIMEOUT_S = 1.0
#: Room for 64 of the largest bodies.
DEFAULT_BODY_MEMORY_BYTES = 64 * 1024 * 1024
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0


@dataclass(frozen=True)
class ManagementSettings:
    """The settings of the management frontend."""

    common: CommonSettings
    port: int
    body_timeout_s: float = 60.0
    #: Names by which the admin calls are asked for, besides the host's own.
    allowed_hosts: tuple[str, ...] = ()
    body_memory_bytes: int = DEFAULT_BODY_MEMORY_BYTES


class NoFaultsOfClients(logging.Filter):
    """Keeps out of the log what clients do: requests that are not HTTP, and leaving before an answer."""

    def filter(self, record: logging.LogRecord) -> bool:
        raised = record.exc_info[1] if record.exc_info else None
        # Redis' errors never come here as such: the store translates them.
        return not isinstance(raised, HttpProcessingError | web.RequestPayloadError | ConnectionError)


async def serve(settings: ManagementSettings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain.

    Raises ClusterMismatch if the Redis is another cluster's, and OSError if a port is taken.
    """
    common = settings.common
    logging.getLogger("aiohttp.server").addFilter(NoFaultsOfClients())
    async with Store(common.redis) as store, Barrier(common.redis, store) as barrier:
        state = ServingState(store, barrier)
        async with _listening(settings, state):
            stopped = asyncio.create_task(stop.wait(), name="stop")
            joining = asyncio.create_task(_join(state, common.cluster_name), name="join-cluster")
            try:
                await asyncio.wait({stopped, joining}, return_when=asyncio.FIRST_COMPLETED)
                if joining.done():
                    joining.result()
                await stopped
            finally:
                await _cancel(stopped, joining)
            state.draining = True
            logger.info("draining: serving for another %.1f s", common.drain_delay_s)
            await asyncio.sleep(common.drain_delay_s)
    logger.info("stopped")


@contextlib.asynccontextmanager
async def _listening(settings: ManagementSettings, state: ServingState) -> AsyncIterator[None]:
    """Listen on the REST port and, if set, the admin port; at the end finish the requests in progress."""
    common, metrics = settings.common, ManagementMetrics()
    async with contextlib.AsyncExitStack() as stack:
        guard = Guard((common.host, socket.gethostname()), settings.allowed_hosts)
        reader = BodyReader(settings.body_timeout_s, BodyBudget(settings.body_memory_bytes))
        rest = make_rest_app(state, metrics, guard, reader)
        runners = {"rest": await _open(stack, rest, common.host, settings.port)}
        if common.admin_port is not None:
            admin = make_admin_app(state, metrics)
            runners["admin"] = await _open(stack, admin, common.admin_host, common.admin_port)
        logger.info("listening: %s", " ".join(f"{part}={_address(it)}" for part, it in runners.items()))
        yield
        # Before aiohttp's own shutdown, which does not read the rest of a body that is still arriving.
        state.closing = True
        for runner in runners.values():
            for site in runner.sites:
                await site.stop()
        await state.wait_until_idle(common.drain_timeout_s)


async def _open(
    stack: contextlib.AsyncExitStack, app: web.Application, host: str, port: int
) -> web.AppRunner:
    """Serve an application until the stack unwinds."""
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,  # BodyReader does, within its limits
        keepalive_timeout=IDLE_TIMEOUT_S,
        shutdown_timeout=SHUTDOWN_TIMEOUT_S,
    )
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


def _address(runner: web.AppRunner) -> str:
    """Return the `host:port` at which a runner listens."""
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _join(state: ServingState, cluster_name: str) -> None:
    """Join the cluster; wait as long as Redis is away. Raises ClusterMismatch."""
    backoff_s = FIRST_BACKOFF_S
    while True:
        try:
            await state.store.join_cluster(cluster_name)
        except RegistryUnavailable as exc:
            if str(exc) != state.waiting_for:
                logger.warning("waiting for Redis: %s", exc)
            state.waiting_for = str(exc)
        else:
            await state.barrier.wait_until_open()
            state.joined.set()
            logger.info("joined cluster %s", cluster_name)
            return
        await asyncio.sleep(backoff_s)
        backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)


async def _cancel(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

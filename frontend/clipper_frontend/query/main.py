"""The command `clipper-query-frontend`: flags, signals and exit codes.

0 after a stop, 1 if it could not listen on a port, 2 for wrong settings or another cluster's Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import sys
from collections.abc import Sequence

import uvloop

from clipper_frontend.allocator import tune_allocator
from clipper_frontend.errors import ClusterMismatch
from clipper_frontend.logs import configure_logging
from clipper_frontend.query.server import QueryFrontend
from clipper_frontend.query.settings import QuerySettings, parse_settings

logger = logging.getLogger("clipper.query")


def main(argv: Sequence[str] | None = None) -> None:
    """Run a query frontend until SIGTERM or SIGINT, and exit."""
    settings = parse_settings(argv)
    configure_logging(settings.common.log_level)
    tune_allocator()
    _allow_open_files()
    sys.exit(uvloop.run(_run(settings)))


def _allow_open_files() -> None:
    """Have as many files open as the system lets this process.

    Each client, replica and stranger takes one or two, and the usual soft limit is 1,024.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # some systems name a limit that they do not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(settings: QuerySettings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await QueryFrontend(settings).run(stop)
    except ClusterMismatch as exc:
        logger.error("%s", exc)
        return 2
    except OSError as exc:
        logger.error("could not listen: %s; set --port, --rpc-port or --admin-port", exc)
        return 1
    return 0

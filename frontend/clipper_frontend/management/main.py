"""The command `clipper-management-frontend`: flags, signals and exit codes.

0 after a stop, 1 if a port is taken, 2 for wrong settings or another cluster's Redis.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence

from clipper_frontend.errors import ClusterMismatch
from clipper_frontend.logs import configure_logging
from clipper_frontend.management.guard import parse_hosts
from clipper_frontend.management.server import DEFAULT_BODY_MEMORY_BYTES, ManagementSettings, serve
from clipper_frontend.settings import CommonSettings, add_common_arguments, add_setting, count, port, seconds

logger = logging.getLogger("clipper.management")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the management frontend until SIGTERM or SIGINT, and exit."""
    settings = parse_settings(argv)
    configure_logging(settings.common.log_level)
    sys.exit(asyncio.run(_run(settings)))


def parse_settings(argv: Sequence[str] | None = None) -> ManagementSettings:
    """Read flags and environment; exits with code 2 and the usage if they are wrong."""
    parser = argparse.ArgumentParser(prog="clipper-management-frontend", description=__doc__)
    add_common_arguments(parser, admin_port=None)
    add_setting(parser, "--port", parse=port, default=1338, help="the port of the admin interface")
    add_setting(
        parser,
        "--body-timeout-s",
        parse=seconds,
        default=60.0,
        help="a body must have arrived after this long",
    )
    add_setting(
        parser,
        "--allowed-hosts",
        default="",
        help="names by which the admin calls may be asked for, with commas, besides IP addresses, localhost, "
        "this host's name and *.consul; web pages of these hosts may make them",
    )
    add_setting(
        parser,
        "--body-memory-bytes",
        parse=count,
        default=DEFAULT_BODY_MEMORY_BYTES,
        help="memory for the bodies of all requests together",
    )
    args = parser.parse_args(argv)
    try:
        return ManagementSettings(
            common=CommonSettings.from_args(args),
            port=args.port,
            body_timeout_s=args.body_timeout_s,
            allowed_hosts=parse_hosts(args.allowed_hosts),
            body_memory_bytes=args.body_memory_bytes,
        )
    except ValueError as exc:
        parser.error(str(exc))


async def _run(settings: ManagementSettings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await serve(settings, stop)
    except ClusterMismatch as exc:
        logger.error("%s", exc)
        return 2
    except OSError as exc:
        logger.error("could not listen: %s; set --host and --port, or --admin-host and --admin-port", exc)
        return 1
    return 0

"""The settings that both frontends take, from flags and, as their defaults, from the environment.

Each flag has a variable: `--redis-tls` reads CLIPPER_REDIS_TLS. A frontend adds flags of its own with the
same functions.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clipper_frontend.registry.connection import RedisSettings

LOG_LEVELS = ("debug", "info", "warning", "error")

_TRUE_WORDS = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class CommonSettings:
    """The settings of both frontends. Times are in seconds; an `admin_port` of 0 is any free port."""

    cluster_name: str
    redis: RedisSettings
    host: str
    admin_host: str
    admin_port: int | None
    log_level: str
    drain_delay_s: float
    drain_timeout_s: float

    @classmethod
    def from_args(cls, args: argparse.Namespace) -> CommonSettings:
        """Return the values of the flags of add_common_arguments(); raises ValueError for a bad address."""
        return cls(
            cluster_name=args.cluster_name,
            redis=RedisSettings(
                address=args.redis,
                username=args.redis_username,
                password=args.redis_password,
                tls=args.redis_tls,
                ca_file=args.redis_ca_file,
                dns_server=args.dns,
            ),
            host=args.host,
            admin_host=args.admin_host,
            admin_port=args.admin_port,
            log_level=args.log_level,
            drain_delay_s=args.drain_delay_s,
            drain_timeout_s=args.drain_timeout_s,
        )


def add_common_arguments(parser: argparse.ArgumentParser, *, admin_port: int | None) -> None:
    """Add the flags that both frontends take; `admin_port` is this frontend's default."""
    add_setting(parser, "--cluster-name", default="default-cluster", help="the cluster that this is part of")
    add_setting(parser, "--redis", default="127.0.0.1:6379", help="Redis, as host:port or srv:NAME")
    add_setting(parser, "--redis-username", help="the user to log in to Redis as")
    add_setting(
        parser, "--redis-password", help="better given as CLIPPER_REDIS_PASSWORD, which ps does not show"
    )
    add_switch(parser, "--redis-tls", help="speak TLS with Redis")
    add_setting(
        parser, "--redis-ca-file", help="the certificates to trust with --redis-tls (default: the system's)"
    )
    add_setting(parser, "--dns", help="the DNS server for srv: names, as host:port (default: the system's)")
    add_setting(parser, "--host", default="127.0.0.1", help="the address to listen on")
    add_setting(parser, "--admin-host", default="127.0.0.1", help="the address of the admin port")
    add_setting(
        parser, "--admin-port", parse=port, default=admin_port, help="the port for health and metrics"
    )
    add_setting(
        parser, "--log-level", choices=LOG_LEVELS, default="info", help="the lowest level that is logged"
    )
    add_setting(
        parser,
        "--drain-delay-s",
        parse=seconds,
        default=5.0,
        help="after SIGTERM, serve on as before for this long",
    )
    add_setting(
        parser,
        "--drain-timeout-s",
        parse=seconds,
        default=30.0,
        help="then wait this long for requests in progress",
    )


def add_setting(
    parser: argparse.ArgumentParser,
    flag: str,
    *,
    help: str,  # noqa: A002 - argparse's own word
    parse: Callable[[str], Any] = str,
    default: object = None,
    choices: tuple[str, ...] | None = None,
) -> None:
    """Add a flag whose default is its environment variable if that has a value, else `default`."""
    variable = variable_of(flag)
    default_text = "" if default is None else f" (default: {default})"
    parser.add_argument(
        flag,
        type=parse,
        choices=choices,
        # argparse parses a default that is text, so that a bad variable is refused like a bad flag.
        default=os.environ.get(variable) or default,
        help=f"{help}{default_text} [{variable}]",
    )


def add_switch(parser: argparse.ArgumentParser, flag: str, *, help: str) -> None:  # noqa: A002 - argparse's own word
    """Add a flag without a value; its environment variable sets it too if it is 1, true, yes or on."""
    variable = variable_of(flag)
    parser.add_argument(
        flag,
        action="store_true",
        default=os.environ.get(variable, "").lower() in _TRUE_WORDS,
        help=f"{help} [{variable}=1]",
    )


def variable_of(flag: str) -> str:
    """Return the name of a flag's environment variable."""
    return "CLIPPER_" + flag.removeprefix("--").replace("-", "_").upper()


def port(text: str) -> int:
    """Read a port number; 0 is any free port."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port: use 0 to 65535")
    return number


def seconds(text: str) -> float:
    """Read a time in seconds, 0 or more."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{number} is not a time: use 0 or more seconds")
    return number


def count(text: str) -> int:
    """Read a whole number, 0 or more."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
    return number

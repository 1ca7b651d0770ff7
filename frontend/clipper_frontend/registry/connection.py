"""Connections to Redis: settings, time limits, and clients that resolve the address at every (re)connect.

Errors of Redis and of the network are translated into RegistryUnavailable.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from clipper_container.addresses import parse_address, resolve
from clipper_frontend.errors import RegistryUnavailable

#: Redis answers in microseconds: if it takes seconds, its host is gone.
CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 2.0
#: A connection that was idle for this long is checked before it is used.
HEALTH_CHECK_INTERVAL_S = 5.0
#: A client makes at most this many calls at a time; more wait their turn.
MAX_CONNECTIONS = 16


@dataclass(frozen=True)
class RedisSettings:
    """The address of Redis, and the credentials.

    `address` is `host:port` or `srv:NAME`; the latter is looked up at `dns_server` (`host:port`), or at the
    system's servers if it is None. `ca_file` holds the certificates to trust with `tls`; None are the
    system's.
    """

    address: str = "127.0.0.1:6379"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    dns_server: str | None = None

    def __post_init__(self) -> None:
        parse_address(self.address)


def connect(settings: RedisSettings) -> Redis:
    """Return a client of database 0, which connects when it is first used. Close it with aclose()."""
    pool = BlockingConnectionPool(
        connection_class=_connection_class(settings),
        max_connections=MAX_CONNECTIONS,
        timeout=READ_TIMEOUT_S,
        **_connection_arguments(settings),
    )
    return Redis.from_pool(pool)


def make_connection(settings: RedisSettings) -> Connection:
    """Return one unconnected connection, on which events can be followed."""
    return _connection_class(settings)(**_connection_arguments(settings))


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn errors of Redis and of the network into RegistryUnavailable, which names the action `what`."""
    try:
        yield
    except (RedisError, OSError) as exc:
        raise RegistryUnavailable(f"{what}: Redis cannot be used: {str(exc) or type(exc).__name__}") from exc


def _connection_arguments(settings: RedisSettings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "address": settings.address,
        "dns_server": settings.dns_server,
        "username": settings.username,
        "password": settings.password,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": READ_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_INTERVAL_S,
        # A write must not be sent twice, and the loss of a subscription must be noticed: callers retry.
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "decode_responses": True,
        "encoding_errors": "replace",
    }
    if settings.tls:
        arguments["ssl_ca_certs"] = settings.ca_file
    return arguments


def _connection_class(settings: RedisSettings) -> type[Connection]:
    return _ResolvedTLSConnection if settings.tls else _ResolvedConnection


class _Resolved(Connection):
    """A connection that resolves the address of Redis at each connect."""

    def __init__(self, *, address: str, dns_server: str | None, **arguments: Any) -> None:
        self._address = address
        self._dns_server = dns_server
        super().__init__(**arguments)

    async def _connect(self) -> None:
        """Connect to the first address that answers; raises OSError or TimeoutError of the last one."""
        parsed = parse_address(self._address)
        addresses = await asyncio.to_thread(resolve, parsed, self._dns_server, timeout_s=CONNECT_TIMEOUT_S)
        for self.host, self.port in addresses[:-1]:
            with contextlib.suppress(OSError):
                await super()._connect()  # type: ignore[no-untyped-call]
                return
        self.host, self.port = addresses[-1]
        await super()._connect()  # type: ignore[no-untyped-call]


class _ResolvedConnection(_Resolved):
    """Plain TCP."""


class _ResolvedTLSConnection(_Resolved, SSLConnection):
    """TCP with TLS; the server's certificate must be trusted and name the address."""

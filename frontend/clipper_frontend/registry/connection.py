"""The way to Redis: settings, and clients whose every (re)connect resolves the address anew.

Owns time limits and the translation of Redis's and the network's errors into RegistryUnavailable. Knows
nothing of what is stored.
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

#: Redis answers in microseconds: who waits for seconds waits for a host that is gone.
CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 2.0
#: An idle connection is tried before it is used again.
HEALTH_CHECK_INTERVAL_S = 5.0
#: Calls at a time of one client; more wait their turn.
MAX_CONNECTIONS = 16


@dataclass(frozen=True)
class RedisSettings:
    """Where Redis is and how to be let in.

    `address` is `host:port` or `srv:NAME`; `dns_server` (`host:port`) is asked for the latter, the system's
    when it is None. `ca_file` holds the certificates to trust with `tls`, the system's when it is None.
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
    """Return a client of database 0, whose connections are made when first needed. Close it with aclose()."""
    pool = BlockingConnectionPool(
        connection_class=_connection_class(settings),
        max_connections=MAX_CONNECTIONS,
        timeout=READ_TIMEOUT_S,
        **_connection_arguments(settings),
    )
    return Redis.from_pool(pool)


def make_connection(settings: RedisSettings) -> Connection:
    """Return one unconnected connection, for who follows events on it."""
    return _connection_class(settings)(**_connection_arguments(settings))


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise RegistryUnavailable, naming `what` was asked, for any trouble of Redis or the network."""
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
        # A write must not be sent twice, and a lost subscription must be seen: callers decide on retries.
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
    """A connection that finds out at each connect where Redis is."""

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

"""The registry's Lua scripts, each of which makes one change or one reading atomically, and their running.

A script is the files of scripts/lib, in order, followed by its own file; those about a registry that Redis
lost are in scripts/lost. Its refusals and values are translated, and its time is limited.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from clipper_frontend.errors import RegistryRefusal, RegistryReplaced
from clipper_frontend.registry.connection import translated
from clipper_frontend.registry.keys import Database
from clipper_frontend.registry.mirror import Entry, Value

#: Shorter than an admin client's timeout, and longer than a connect and a command take.
CALL_TIMEOUT_S = 2.5

#: The files of scripts/lib. A Lua function must stand before its callers: all the others call `registry`, and
#: none of them calls another.
_LIBRARY = ("registry", "epochs", "frontends", "promotion", "replicas", "states", "values")
_REFUSED = "REFUSED "
_REPLACED = "REPLACED"


REPLACED_TEXT = (
    "Redis holds another registry than the one that was followed, which was lost: `clipper-nomad registry "
    "restore` puts back what the query frontends know of it; frontends that are restarted follow the new one"
)


def flattened(values: Mapping[str, str]) -> list[str]:
    """Return a hash as field, value, field, value …"""
    return [part for item in values.items() for part in item]


class Scripts:
    """Runs scripts by name over one client.

    With the `epoch` of the registry that was joined, they raise RegistryReplaced if Redis holds another one.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.epoch: str | None = None
        #: redis-py leaves this method untyped.
        self._command: Callable[..., Awaitable[Any]] = redis.execute_command

    async def run(self, name: str, *arguments: str | int) -> Any:
        """Run a script and return its reply.

        Raises RegistryRefusal with the script's text, RegistryReplaced, and RegistryUnavailable if Redis
        gives no answer.
        """
        return await self._run(name, arguments, self.epoch)

    async def run_on_any(self, name: str, *arguments: str | int) -> Any:
        """Run a script on whichever registry Redis holds."""
        return await self._run(name, arguments, None)

    async def check_epoch(self) -> None:
        """Raise RegistryReplaced if Redis holds another registry than the one that was joined."""
        await self.run("lost/check_epoch")

    async def _run(self, name: str, arguments: Sequence[str | int], epoch: str | None) -> Any:
        try:
            with translated(name.rpartition("/")[2].replace("_", " ")):
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    return await self._evaluate(name, arguments, () if epoch is None else (epoch,))
        except _RefusedError as exc:
            raise RegistryRefusal(str(exc)) from None

    async def read(self, wanted: Sequence[tuple[Database, str]]) -> list[Entry]:
        """Return the values of some keys, read atomically."""
        if not wanted:
            return []
        arguments = [part for database, key in wanted for part in (int(database), key)]
        replies = await self.run("read", *arguments)
        return [
            (database, key, _value(reply)) for (database, key), reply in zip(wanted, replies, strict=True)
        ]

    async def read_all(self, *databases: Database) -> list[Entry]:
        """Return the whole contents of some databases, read atomically."""
        return _entries(await self.run("list", *map(int, databases)))

    async def scan(self, database: Database, cursor: str, count: int) -> tuple[str, list[Entry]]:
        """Return the next cursor ("0" at the end) and about `count` keys with their values."""
        cursor, entries = await self.run("scan", int(database), cursor, count)
        return cursor, _entries(entries)

    async def ping(self) -> None:
        """Raise RegistryUnavailable if Redis does not answer."""
        with translated("ping"):
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._command("PING")

    async def _evaluate(self, name: str, arguments: Sequence[str | int], keys: Sequence[str]) -> Any:
        text, digest = _load(name)
        try:
            try:
                return await self._command("EVALSHA", digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._command("EVAL", text, len(keys), *keys, *arguments)
        except ResponseError as exc:
            if str(exc) == _REPLACED:
                raise RegistryReplaced(REPLACED_TEXT) from None
            if str(exc).startswith(_REFUSED):
                raise _RefusedError(str(exc).removeprefix(_REFUSED)) from exc
            raise


class _RefusedError(Exception):
    """A script refused. It is not one of Redis's errors, so that it passes their translation."""


@functools.cache
def _load(name: str) -> tuple[str, str]:
    """Return a script's whole text and the digest under which Redis keeps it."""
    folder = resources.files("clipper_frontend.registry").joinpath("scripts")
    library = [folder.joinpath("lib", f"{part}.lua") for part in _LIBRARY]
    parts = [*library, folder.joinpath(f"{name}.lua")]
    text = "\n".join(part.read_text(encoding="utf-8") for part in parts)
    return text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _entries(replies: Iterable[Any]) -> list[Entry]:
    return [(Database(database), key, _value(reply)) for database, key, reply in replies]


def _value(reply: Sequence[Any]) -> Value:
    match reply:
        case ["hash", fields]:
            return dict(zip(fields[::2], fields[1::2], strict=True))
        case ["set", members]:
            return frozenset(members)
        case ["string", text]:
            return str(text)
    return None

"""Nomad's HTTP API: python-nomad, and a small client on the same session for what that lacks.

Owns the one session, the blocking queries, and waiting out an election. Errors come out as
ContainerManagerError that say what was asked (`attempt`), what is wrong and what to do. Knows no job.
"""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import nomad
import nomad.api.exceptions
import requests

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.access import NomadAccess
from clipper_nomad.managers.nomad.clients.session import (
    NomadSession,
    RefusedError,
    describe_failure,
    describe_refusal,
    read_settings,
)

_T = TypeVar("_T")
_TIMEOUT_S = (5.0, 30.0)
# An election takes Nomad some seconds, and so does the restart of an agent.
_PATIENCE_S = 15.0
_PAUSE_S = 0.25
# What an agent says while there is no leader, or while it has just started.
_PASSING = ("No cluster leader", "No path to region", "Not ready to serve consistent reads")
# A blocking query's `wait`: a client that has gone is noticed after this time. Nomad adds up to a sixteenth.
_LONGEST_WAIT_S = 20.0


@dataclass(frozen=True)
class NomadResponse:
    """An answer's JSON, the index from which to wait for a change of it, and the time by Nomad's clock.

    The time comes in whole seconds, from the agent that answered.
    """

    body: Any
    index: int
    now: datetime.datetime


class NomadAPI:
    """Nomad's API at one address, in one namespace.

    `client` is python-nomad's, to be called within ask().
    """

    def __init__(self, access: NomadAccess) -> None:
        self.access = access
        self._session = NomadSession(access)
        weakref.finalize(self, self._session.close)
        self.client = nomad.Nomad(session=self._session, timeout=_TIMEOUT_S, **read_settings(access))
        # What has never answered is told at once; what did answer may be starting again.
        self._has_answered = False

    def ask(self, attempt: str, call: Callable[[], _T], *, is_read: bool = True) -> _T:
        """Return what `call`, which uses `client`, returns.

        What finds no leader or no agent is asked again for some seconds; when it is no read (`is_read`), only
        where it has certainly not arrived. Raises RefusedError for an answer that is no success.
        """
        deadline_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with self._translated(attempt):
                    result = call()
                self._has_answered = True
            except ContainerManagerError as error:
                if time.monotonic() >= deadline_s or not self._may_ask_again(error, is_read=is_read):
                    raise
                time.sleep(_PAUSE_S)
            else:
                return result

    def get(self, attempt: str, path: str, **params: object) -> NomadResponse:
        """Return what is at `path`, which begins behind `/v1/`."""
        return self.ask(attempt, lambda: self._read(path, params))

    def wait_for_change(
        self, attempt: str, path: str, index: int, timeout_s: float, **params: object
    ) -> NomadResponse:
        """Return what is at `path` once it has changed since `index`, or as it is after `timeout_s`."""
        wait_s = max(0.001, min(timeout_s, _LONGEST_WAIT_S))
        blocking = {**params, "index": max(index, 1), "wait": f"{wait_s * 1000:.0f}ms"}
        return self.ask(attempt, lambda: self._read(path, blocking))

    def send(self, attempt: str, method: str, path: str, body: object = None, **params: object) -> Any:
        """Send a change to `path` and return what is answered."""
        return self.ask(attempt, lambda: self._request(method, path, params, json=body).json(), is_read=False)

    @contextlib.contextmanager
    def stream(self, attempt: str, path: str, **params: object) -> Iterator[Iterator[bytes]]:
        """Give what is at `path` in pieces, as they come."""
        response = self.ask(attempt, lambda: self._request("GET", path, params, stream=True))
        with response, self._translated(attempt):
            yield response.iter_content(65536)

    def _read(self, path: str, params: Mapping[str, object]) -> NomadResponse:
        response = self._request("GET", path, params)
        now = email.utils.parsedate_to_datetime(response.headers["Date"])
        return NomadResponse(response.json(), int(response.headers.get("X-Nomad-Index", 0)), now)

    def _request(
        self, method: str, path: str, params: Mapping[str, object], **arguments: Any
    ) -> requests.Response:
        response = self._session.request(
            method,
            f"{self.access.address}/v1/{path}",
            params=params,
            timeout=_TIMEOUT_S,
            allow_redirects=False,
            **arguments,
        )
        if response.status_code != requests.codes.ok:
            with response:
                # Read now, since what a stream left unread is lost when it is closed.
                _ = response.content
                raise nomad.api.exceptions.BaseNomadException(response)
        return response

    def _may_ask_again(self, error: ContainerManagerError, *, is_read: bool) -> bool:
        if isinstance(error, RefusedError):
            return any(words in error.text for words in _PASSING)
        is_refused_connection = isinstance(error.__cause__, requests.exceptions.ConnectionError) and (
            "refused" in str(error.__cause__)
        )
        return self._has_answered and (is_read or is_refused_connection)

    @contextlib.contextmanager
    def _translated(self, attempt: str) -> Iterator[None]:
        """Raise what python-nomad and requests raise as ContainerManagerError."""
        try:
            yield
        except nomad.api.exceptions.BaseNomadException as error:
            inner = error.nomad_resp
            if isinstance(inner, requests.Response):
                raise describe_refusal(attempt, self.access, inner) from error
            raise describe_failure(attempt, self.access, inner) from inner
        except requests.RequestException as error:
            raise describe_failure(attempt, self.access, error) from error


def quoted(text: str) -> str:
    """Return an id as a part of a path."""
    return quote(text, safe="")

"""The client of Nomad's HTTP API: python-nomad, and a few requests of our own on the same session.

Has the one session, the blocking queries, and the waits for an election. Errors come out as
ContainerManagerError that say what was asked (`attempt`), what is wrong and what to do.
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
#: An election takes some seconds, and so does the restart of an agent.
_PATIENCE_S = 15.0
_PAUSE_S = 0.25
#: The errors of an agent while there is no leader, or just after its start.
_PASSING = ("No cluster leader", "No path to region", "Not ready to serve consistent reads")
#: A blocking query's `wait`: Nomad notices a vanished client after this time. It adds up to a sixteenth.
_MAX_WAIT_S = 20.0


@dataclass(frozen=True)
class NomadResponse:
    """A response's JSON, the index from which to wait for a change, and the time by Nomad's clock.

    The time is in whole seconds, by the clock of the agent that answered.
    """

    body: Any
    index: int
    now: datetime.datetime


class NomadAPI:
    """Nomad's API at one address, in one namespace.

    `client` is python-nomad's; call it within ask().
    """

    def __init__(self, access: NomadAccess) -> None:
        self.access = access
        self._session = NomadSession(access)
        weakref.finalize(self, self._session.close)
        self.client = nomad.Nomad(session=self._session, timeout=_TIMEOUT_S, **read_settings(access))
        # An agent that has never answered is an error at once; one that did may be restarting.
        self._has_answered = False

    def ask(self, attempt: str, call: Callable[[], _T], *, is_read: bool = True) -> _T:
        """Return what `call`, which uses `client`, returns.

        Without a leader or an agent, the call is tried again for some seconds; a write (not `is_read`) only
        if it has certainly not arrived. Raises RefusedError if Nomad refuses.
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
        """Return the resource at `path`, which begins after `/v1/`."""
        return self.ask(attempt, lambda: self._read(path, params))

    def wait_for_change(
        self, attempt: str, path: str, index: int, timeout_s: float, **params: object
    ) -> NomadResponse:
        """Return the resource at `path` once it has changed since `index`, or as it is after `timeout_s`."""
        wait_s = max(0.001, min(timeout_s, _MAX_WAIT_S))
        blocking = {**params, "index": max(index, 1), "wait": f"{wait_s * 1000:.0f}ms"}
        return self.ask(attempt, lambda: self._read(path, blocking))

    def send(self, attempt: str, method: str, path: str, body: object = None, **params: object) -> Any:
        """Send a change to `path` and return the response's JSON."""
        return self.ask(attempt, lambda: self._request(method, path, params, json=body).json(), is_read=False)

    @contextlib.contextmanager
    def stream(self, attempt: str, path: str, **params: object) -> Iterator[Iterator[bytes]]:
        """Yield the resource at `path` in pieces, as they come."""
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
                # Read the text now: closing a stream loses its unread part.
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
        """Translate errors of python-nomad and requests into ContainerManagerError."""
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

"""The lookup of addresses in a thread of its own: a lookup may block, serving may not.

The caller fetches the results; nothing but a wake-up is called back.
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
from collections import deque
from typing import Callable, Generic, NamedTuple, Optional, TypeVar, Union

from clipper_container.addresses import AddressError, HostPort, SrvName, parse_address, resolve

_LOG = logging.getLogger("clipper.container")
_TIMEOUT_S = 5.0

Ticket = TypeVar("Ticket")


class Place(NamedTuple):
    """An IP address and a port."""

    host: str
    port: int


class Lookup(Generic[Ticket]):
    """Looks up addresses one after the other; calls `done`, in the lookup's thread, after each."""

    def __init__(self, dns_server: Optional[str], done: Callable[[], None]) -> None:
        self._dns_server = dns_server
        self._done = done
        self._asked: queue.SimpleQueue[Optional[tuple[Ticket, str, int]]] = queue.SimpleQueue()
        self._found: deque[tuple[Ticket, Union[Place, AddressError]]] = deque()
        self._thread = threading.Thread(target=self._run, name="clipper-lookup", daemon=True)
        self._thread.start()

    def ask(self, ticket: Ticket, address: str, attempt: int) -> None:
        """Begin to look up `address`; if it has several places, successive attempts get different ones."""
        self._asked.put((ticket, address, attempt))

    def found(self) -> list[tuple[Ticket, Union[Place, AddressError]]]:
        """Return the results since the last call."""
        return [self._found.popleft() for _ in range(len(self._found))]

    def close(self) -> None:
        """End the thread; wait at most a second for a lookup that is under way."""
        self._asked.put(None)
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while True:
            asked = self._asked.get()
            if asked is None:
                return
            ticket, address, attempt = asked
            self._found.append((ticket, self._look_up(address, attempt)))
            self._done()

    def _look_up(self, address: str, attempt: int) -> Union[Place, AddressError]:
        try:
            return _place(address, self._dns_server, attempt)
        except AddressError as exc:
            return exc
        except Exception as exc:  # noqa: BLE001 - the root of this thread: it must live on
            _LOG.exception("could not look up %s", address)
            return AddressError(f"cannot look up {address}: {exc}")


def literal_place(address: str) -> Optional[Place]:
    """Return the place that `address` gives literally, as an IP address and a port; else None."""
    parsed = parse_address(address)
    if isinstance(parsed, SrvName):
        return None
    return Place(parsed.host, parsed.port) if _is_ip(parsed) else None


def _is_ip(address: HostPort) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address.host)
        except OSError:
            continue
        return True
    return False


def _place(address: str, dns_server: Optional[str], attempt: int) -> Place:
    places = resolve(parse_address(address), dns_server, _TIMEOUT_S)
    host, port = places[attempt % len(places)]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise AddressError(f"cannot look up {host}: {exc}") from exc
    return Place(str(found[attempt % len(found)][4][0]), port)

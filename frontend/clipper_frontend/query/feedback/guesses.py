"""Wrong guesses of query ids: counted, and bounded for each peer. No I/O; the clock is an argument.

An id that no frontend gave is a guess, or was spoilt on its way, as by a client that keeps numbers in 32
bits. Who sends many may send no feedback by query id for a while, or one of them would be somebody's answer
in the end. Clients behind one proxy are one peer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

from clipper_frontend.allowances import Allowances

#: A peer may guess so often at once, and so often a second from then on.
MAX_AT_ONCE: Final = 30.0
_MAX_PER_S: Final = 1.0
#: Who has an IPv6 address has the others of its network, too.
_NETWORK_BITS: Final = 64


class Guesses:
    """The peers that sent wrong ids lately, and the number of such ids in `total`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._allowances: Allowances[str] = Allowances(MAX_AT_ONCE, _MAX_PER_S)
        self.total = 0

    def __len__(self) -> int:
        return len(self._allowances)

    def note(self, peer: str) -> None:
        """Count a wrong id of a peer, given by its IP address."""
        self._allowances.spend(_network_of(peer), self._clock())

    def slows(self, peer: Callable[[], str]) -> bool:
        """Return whether a peer has guessed too often to be heard now; it is asked for only if any has."""
        return bool(self._allowances) and not self._allowances.allows(_network_of(peer()), self._clock())


def _network_of(peer: str) -> str:
    if ":" not in peer:
        return peer
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _NETWORK_BITS), strict=False))

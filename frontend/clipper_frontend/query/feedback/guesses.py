"""Wrong guesses of query ids: counted, and bounded for each peer. No I/O; the clock is an argument.

An id that no frontend gave is a guess, or was spoilt on its way, as by a client that keeps numbers in 32
bits. Who sends many may send no feedback by query id for a while, or one of them would be somebody's answer
in the end. Clients behind one proxy are one peer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

#: A peer may guess so often at once, and so often a second from then on.
MAX_AT_ONCE: Final = 30.0
_MAX_PER_S: Final = 1.0
#: So many peers are remembered; the one that began first is forgotten first.
_MAX_PEERS: Final = 1_000
#: Who has an IPv6 address has the others of its network, too.
_NETWORK_BITS: Final = 64


class Guesses:
    """The peers that sent wrong ids lately, and the number of such ids in `total`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        self.total = 0

    def note(self, peer: str) -> None:
        """Count a wrong id of a peer, given by its IP address."""
        network = _network_of(peer)
        left = self._allowance(network) - 1.0
        if network not in self._left and len(self._left) >= _MAX_PEERS:
            del self._left[next(iter(self._left))]
        self._left[network] = (max(0.0, left), self._clock())

    def slows(self, peer: Callable[[], str]) -> bool:
        """Return whether a peer has guessed too often to be heard now; it is asked for only if any has."""
        return bool(self._left) and self._allowance(_network_of(peer())) < 1.0

    def _allowance(self, network: str) -> float:
        left, since = self._left.get(network, (MAX_AT_ONCE, 0.0))
        allowance = left + (self._clock() - since) * _MAX_PER_S
        if allowance >= MAX_AT_ONCE:
            self._left.pop(network, None)
        return min(allowance, MAX_AT_ONCE)


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

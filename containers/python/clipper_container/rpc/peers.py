"""The addresses that a container dials, and the times at which it does.

Each query frontend sends the ids and addresses of all of them. Every id that is not connected is dialled at
its address, or, if only a proxy can be reached, the proxy is dialled until every id has answered. Without any
connection the seeds are dialled too. There is no I/O; time and randomness are arguments.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Optional

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 10.0
#: An address that leads to a frontend that is already connected works, and behind a proxy the next try may
#: reach another frontend.
MAX_DOUBLE_DELAY_S = 2.0
_GROWTH = 1.5
_JITTER = 0.25
#: The end of a session that held this long is not a failure of its address.
STABLE_S = 5.0
_MAX_COUNT_ONCE_ACCEPTED = 6


class Dial(NamedTuple):
    """An address to dial, and the number of tries in a row before this one."""

    address: str
    attempt: int


class _Attempts:
    """The tries at one address."""

    def __init__(self) -> None:
        self.count = 0
        self.not_before = float("-inf")
        self.is_active = False
        self.accepted_at: Optional[float] = None


class Peers:
    """The seeds, the frontends on the lists that were received, and the tries at each address."""

    def __init__(self, seeds: Sequence[str], *, proxy_only: bool, rng: random.Random) -> None:
        self._seeds = tuple(seeds)
        self._proxy_only = proxy_only
        self._rng = rng
        self._lists: dict[str, Mapping[str, str]] = {}
        self._last_list: Mapping[str, str] = {}
        self._attempts: dict[str, _Attempts] = {}

    def heard(self, frontend_id: str, listed: Mapping[str, str]) -> bool:
        """Store the list that a connected frontend sent; return whether it has changed."""
        if self._lists.get(frontend_id) == listed:
            return False
        self._lists[frontend_id] = dict(listed)
        return True

    def gone(self, frontend_id: str) -> None:
        """Forget a lost frontend's list; the last frontend's list is kept until another one sends its own."""
        self._last_list = self._lists.pop(frontend_id, self._last_list)

    def due(self, connected: Collection[str], now: float) -> list[Dial]:
        """Return the addresses to dial now, given the ids that are connected.

        Each counts as being dialled until failed(), doubled() or accepted() reports the outcome.
        """
        wanted = self._wanted(connected)
        self._drop_unwanted(wanted, now)
        dials = []
        for address in wanted:
            attempts = self._attempts_at(address, now)
            if not attempts.is_active and now >= attempts.not_before:
                attempts.is_active = True
                dials.append(Dial(address, attempts.count))
        return dials

    def next_due(self, connected: Collection[str]) -> float:
        """Return when due() will next return an address, if nothing changes before."""
        times = [float("inf")]
        for address in self._wanted(connected):
            attempts = self._attempts.get(address)
            if attempts is None:
                times.append(float("-inf"))
            elif not attempts.is_active:
                times.append(attempts.not_before)
        return min(times)

    def failed(self, address: str, now: float) -> None:
        """Note that a try ended without a session."""
        self._ended(address, now, MAX_DELAY_S)

    def doubled(self, address: str, now: float) -> None:
        """Note that a try reached a frontend that is already connected."""
        self._ended(address, now, MAX_DOUBLE_DELAY_S)

    def accepted(self, address: str, now: float) -> None:
        """Note that a try led to a session."""
        self._ended(address, now, MAX_DOUBLE_DELAY_S)
        attempts = self._attempts[address]
        attempts.accepted_at = now
        attempts.count = min(attempts.count, _MAX_COUNT_ONCE_ACCEPTED)

    def _ended(self, address: str, now: float, max_delay_s: float) -> None:
        attempts = self._attempts.setdefault(address, _Attempts())
        delay_s = min(FIRST_DELAY_S * _GROWTH ** min(attempts.count, 20), max_delay_s)
        attempts.count += 1
        attempts.not_before = now + delay_s * self._rng.uniform(1 - _JITTER, 1)
        attempts.is_active = False
        attempts.accepted_at = None

    def _wanted(self, connected: Collection[str]) -> list[str]:
        lists = self._lists.values() or [self._last_list]
        listed = {peer_id: address for each in lists for peer_id, address in each.items()}
        missing = [] if self._proxy_only else [a for i, a in listed.items() if i not in connected]
        dial_seeds = not connected or (self._proxy_only and not listed.keys() <= set(connected))
        return list(dict.fromkeys([*(self._seeds if dial_seeds else ()), *missing]))

    def _attempts_at(self, address: str, now: float) -> _Attempts:
        attempts = self._attempts.get(address)
        if attempts is None or _was_stable(attempts, now):
            attempts = self._attempts[address] = _Attempts()
        return attempts

    def _drop_unwanted(self, wanted: Collection[str], now: float) -> None:
        for address, attempts in list(self._attempts.items()):
            if address in wanted or attempts.is_active or now < attempts.not_before:
                continue
            if attempts.accepted_at is None or _was_stable(attempts, now):
                del self._attempts[address]


def _was_stable(attempts: _Attempts, now: float) -> bool:
    return attempts.accepted_at is not None and now >= attempts.accepted_at + STABLE_S

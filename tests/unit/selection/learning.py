"""A policy that learns in virtual time: the same steps as in a query frontend, without queries."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Combined, Policy, Selection
from clipper_frontend.selection.state import Increments, add


def make(value: Any, arms: Sequence[str] = ("a", "b", "c", "d", "e")) -> Policy:
    """Return the policy of an application that is linked to these models."""
    return PolicyConfig.parse(value).policy("app", arms)


class Learner:
    """One application's policy and state. Feedback comes at once, `per_s` in each second."""

    def __init__(
        self, value: dict[str, Any], arms: Sequence[str], *, seed: int = 0, per_s: float = 10.0
    ) -> None:
        config = PolicyConfig.parse({"half_life_s": None} | value)
        self.policy = config.policy("app", arms)
        self.memory = config.memory
        self.buckets: dict[int, Increments] = {}
        self.rounds = 0
        self._random = random.Random(seed).random
        self._per_s = per_s
        self.refresh()

    @property
    def now(self) -> float:
        """Return the time, in seconds."""
        return self.rounds / self._per_s

    @property
    def shares(self) -> tuple[float, ...]:
        """Return each arm's share."""
        return self.selector.shares

    def refresh(self) -> None:
        """Make a new selector of the counters."""
        self.selector = self.policy.selector(self.memory.discounted(self.buckets, self.now))

    def select(self) -> Selection:
        """Return the selection of the next query."""
        return self.selector.select(None, self._random)

    def learn(self, selection: Selection, outputs: Mapping[int, bytes | None], label: Any) -> None:
        """Take feedback."""
        bucket = self.buckets.setdefault(self.memory.bucket(self.now), {})
        add(bucket, self.policy.observe(selection, outputs, label))
        self.rounds += 1

    def draw(self, right: Sequence[bool]) -> bool:
        """Let one arm answer, and return whether it was right. `right` holds this for every arm."""
        selection = self.select()
        arm = selection.asked[0]
        self.learn(selection, {arm: b"1" if right[arm] else b"0"}, 1)
        return right[arm]

    def answer(self, outputs: Sequence[bytes], label: Any) -> Combined:
        """Let all arms answer together."""
        selection = self.select()
        combined = self.policy.combine(selection, [outputs[arm] for arm in selection.asked])
        self.learn(selection, dict(enumerate(outputs)), label)
        return combined

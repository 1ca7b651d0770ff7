"""Keeps the learners of a query frontend learning: reads the newest counters from Redis.

Owns one task. Nothing of it is on the query path: learners are told in the background.
"""

from __future__ import annotations

from clipper_frontend.query.learner import Learner
from clipper_frontend.registry.selection import StateKey
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Policy


class Learning:
    """All learners of one query frontend. `max_users` bounds the users whose state each keeps in memory."""

    def __init__(self, store: Store, max_users: int) -> None:
        raise NotImplementedError

    def learner(self, application: str, config: PolicyConfig, policy: Policy) -> Learner:
        """Return the learner of an application, in place of the one before: call it when a policy is made.

        What is known of counters is taken over where the loss stayed the same.
        """
        raise NotImplementedError

    def forget(self, application: str) -> None:
        """Drop an application's learner: it is gone, or its policy cannot be made."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to read."""
        raise NotImplementedError

    def wrote(self, key: StateKey) -> None:
        """Read a state soon: feedback was added to it here."""
        raise NotImplementedError

    async def close(self) -> None:
        """Stop reading."""
        raise NotImplementedError

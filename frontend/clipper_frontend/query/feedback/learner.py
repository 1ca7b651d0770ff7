"""The learner of one application: its policy's selectors, for all users and for single ones.

It keeps the newest counters and turns feedback into additions to them. No I/O: counters and the time are
arguments, and learners.py reads Redis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from clipper_frontend.query.feedback.memory import FeedbackMemory, Remembered
from clipper_frontend.query.feedback.users import KnownUsers
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.registry.selection import Addition, StateKey
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Outputs, Policy, Selection, Selector
from clipper_frontend.selection.losses import Label
from clipper_frontend.selection.state import Buckets, Counters, started_from

#: A user's own state ends after this time without feedback, whatever the policy's memory.
USER_LIFETIME_S: Final = 30 * 24 * 3600
#: As a share of the half-life; in this time counters lose a third of a percent.
_AGE_THAT_MATTERS: Final = 0.005


class Shared(NamedTuple):
    """The collaborators that all learners of one frontend share.

    `users_wanted` is called when the state of a user must be read. `max_users` bounds the users of one
    application whose state is known here.
    """

    memory: FeedbackMemory
    users_wanted: Callable[[], None]
    max_users: int


class PolicyLearner:
    """The learner of an application until its policy or links change."""

    __slots__ = (
        "_counters",
        "_known_at",
        "_newest",
        "_shared",
        "buckets",
        "config",
        "key",
        "learns",
        "policy",
        "stale",
        "statistics",
        "users",
    )

    def __init__(
        self,
        application: str,
        config: PolicyConfig,
        policy: Policy,
        statistics: ApplicationStatistics,
        shared: Shared,
    ) -> None:
        self.key = StateKey(application, config.state_name)
        self.config = config
        self.policy = policy
        self.learns = policy.learns
        self.statistics = statistics
        self.users = KnownUsers(shared.max_users)
        self.buckets: Buckets = {}
        #: Whether Redis has newer counters than are known here.
        self.stale = self.learns
        self._known_at = 0.0
        self._shared = shared
        self._counters: Counters = {}
        self._newest = policy.selector({})

    # -- queries -------------------------------------------------------------------------------------------

    def selector(self, user: str | None) -> Selector:
        """Return the selector made from the newest counters: the user's own if they are known here.

        The first query of a user gets the application's selector, and has the user's counters read.
        """
        if user is None or not self.learns:
            return self._newest
        known = self.users.get(user)
        if known is None:
            self.users.want(user)
            self._shared.users_wanted()
            return self._newest
        return self._newest if known.selector is None else known.selector

    def remember(
        self, query_id: int, user: str | None, selection: Selection, outputs: Outputs | bytes | None
    ) -> None:
        """Remember the answer to a query for the feedback that may come."""
        self._shared.memory.remember(query_id, Remembered(self, selection, outputs, user))

    # -- feedback ------------------------------------------------------------------------------------------

    @property
    def measures(self) -> bool:
        """Return whether feedback is compared with outputs."""
        return self.config.loss is not None

    def observe(
        self,
        selection: Selection,
        outputs: Mapping[int, bytes | None],
        label: Label,
        user: str | None,
        now: float,
    ) -> list[Addition]:
        """Return the additions of feedback to the states of the application and the user; raises UnfitLabel.

        `now` is Unix time in seconds.
        """
        increments = self.policy.observe(selection, outputs, label)
        if not increments:
            return []
        memory = self.config.memory
        bucket = memory.bucket(now)
        expires_at = None if memory.lifetime_s is None else bucket + memory.lifetime_s
        additions = [Addition(self.key, bucket, expires_at, increments)]
        if user and self.learns:
            latest = int(now) + USER_LIFETIME_S
            expires_at = latest if expires_at is None else min(expires_at, latest)
            additions.append(Addition(self.key._replace(user=user), bucket, expires_at, increments))
        return additions

    def counted(self, additions: list[Addition]) -> None:
        """Note that these additions, which observe() returned, are in Redis."""
        if additions:
            self.stale = True
            self.statistics.count_feedback(additions[0].increments)
        for addition in additions[1:]:
            self.users.changed(addition.key.user)

    # -- counters ------------------------------------------------------------------------------------------

    def know(self, buckets: Buckets, now: float) -> None:
        """Use the application's newest counters, read at `now`, in seconds of Unix time."""
        self.stale = False
        half_life_s = self.config.memory.half_life_s
        aged = half_life_s is not None and now - self._known_at > half_life_s * _AGE_THAT_MATTERS
        if buckets == self.buckets and not (buckets and aged):
            return
        self.buckets = buckets
        self._known_at = now
        self._counters = self.config.memory.discounted(buckets, now)
        self._newest = self.policy.selector(self._counters)

    def know_user(self, user: str, buckets: Buckets, now: float) -> None:
        """Use a user's own newest counters."""
        own = self.config.memory.discounted(buckets, now)
        selector = None
        if own:
            started = started_from(self._counters, own, self.config.user_rounds)
            selector = self.policy.selector(started)
        self.users.put(user, selector)

"""One application's policy at work: what selects by the newest counters, for all users and for single ones.

Owns which counters are known here, and what feedback adds to which of them. It is told counters and the time,
and does no I/O; who reads Redis is `learners`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from clipper_frontend.query.feedback.memory import Answered, FeedbackMemory
from clipper_frontend.query.feedback.users import KnownUsers
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.registry.selection import Addition, StateKey
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Outputs, Policy, Selection, Selector
from clipper_frontend.selection.losses import Label
from clipper_frontend.selection.state import Buckets, Counters, started_from

#: A user's own state ends when there was no feedback for so long, whatever the memory.
USER_LIFETIME_S: Final = 30 * 24 * 3600
#: As a share of the half-life: in this time counters lose a third of a percent.
_AGE_THAT_MATTERS: Final = 0.005


class Surroundings(NamedTuple):
    """What a learner has around it: answers that feedback may come for, and who is told of unknown users.

    `most_users` bounds the users whose state is known here.
    """

    memory: FeedbackMemory
    wanted: Callable[[], None]
    most_users: int


class PolicyLearner:
    """An application's policy for as long as its record and links stay what they are."""

    __slots__ = (
        "_around",
        "_counters",
        "_known_at",
        "_newest",
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
        around: Surroundings,
    ) -> None:
        self.key = StateKey(application, config.state_name)
        self.config = config
        self.policy = policy
        self.learns = policy.learns
        self.statistics = statistics
        self.users = KnownUsers(around.most_users)
        self.buckets: Buckets = {}
        #: Whether Redis has counters that are not known here.
        self.stale = self.learns
        self._known_at = 0.0
        self._around = around
        self._counters: Counters = {}
        self._newest = policy.selector({})

    # -- queries -------------------------------------------------------------------------------------------

    def selector(self, user: str | None) -> Selector:
        """Return what selects by the newest counters: by the user's own where these are known here.

        The first query of a user is answered by the application's, and has the user's read.
        """
        if user is None or not self.learns:
            return self._newest
        known = self.users.get(user)
        if known is None:
            self.users.want(user)
            self._around.wanted()
            return self._newest
        return self._newest if known.selector is None else known.selector

    def remember(
        self, query_id: int, user: str | None, selection: Selection, outputs: Outputs | bytes | None
    ) -> None:
        """Take what a query was answered with, for the feedback that may come."""
        self._around.memory.remember(query_id, Answered(self, selection, outputs, user))

    # -- feedback ------------------------------------------------------------------------------------------

    @property
    def measures(self) -> bool:
        """Tell whether outputs matter for what feedback adds."""
        return self.config.loss is not None

    def observe(
        self,
        selection: Selection,
        outputs: Mapping[int, bytes | None],
        label: Label,
        user: str | None,
        now: float,
    ) -> list[Addition]:
        """Return what feedback adds to the application's state and the user's; raises UnfitLabel.

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
        """Note that what observe() returned is in Redis."""
        if additions:
            self.stale = True
            self.statistics.count_feedback(additions[0].increments)
        for addition in additions[1:]:
            self.users.changed(addition.key.user)

    # -- counters ------------------------------------------------------------------------------------------

    def know(self, buckets: Buckets, now: float) -> None:
        """Take the application's newest counters, which were read at `now`, in seconds of Unix time."""
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
        """Take a user's own newest counters."""
        own = self.config.memory.discounted(buckets, now)
        selector = None
        if own:
            started = started_from(self._counters, own, self.config.user_rounds)
            selector = self.policy.selector(started)
        self.users.put(user, selector)

"""Keeps the learners of a query frontend learning: reads the newest counters from Redis.

Owns one task, and when it reads: all that learns about once a second, and sooner after own feedback or for
users that are new here. Nothing of it is on the query path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Final

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.query.feedback.learner import PolicyLearner, Surroundings
from clipper_frontend.query.feedback.memory import FeedbackMemory
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.registry.selection import StateKey
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Policy
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query.learning")

_READ_INTERVAL_S: Final = 1.0
#: Own feedback and new users have counters read sooner, but not more often than this.
_LEAST_INTERVAL_S: Final = 0.1
#: Users who are in use are read again this often: other frontends get feedback of theirs too.
_USERS_INTERVAL_S: Final = 5.0
#: So many users of an application at a time: the selectors of many more would take the time of queries.
_USERS_PER_READ: Final = 50
#: So many states are read in one call; queries have their turn before the next.
_STATES_PER_READ: Final = 20
#: With nothing configured nothing is remembered: queries cost what they do without policies.
_DEFAULT: Final = PolicyConfig.parse(None)


class PolicyLearners:
    """All learners of one query frontend.

    `most_users` bounds the users of one application whose state is known here.
    """

    def __init__(self, store: Store, memory: FeedbackMemory, most_users: int) -> None:
        self._store = store
        self._around = Surroundings(memory, self.wake, most_users)
        self._learners: dict[str, PolicyLearner] = {}
        self._changed = asyncio.Event()
        self._everything_at = 0.0
        self._users_again_at = 0.0
        self._away = False
        self._task: asyncio.Task[None] | None = None

    def renew(
        self, application: str, config: PolicyConfig, policy: Policy, statistics: ApplicationStatistics
    ) -> PolicyLearner | None:
        """Return what learns for an application, in place of what did before.

        None where the policy is the default one with nothing configured: nothing is remembered of that.
        """
        before = self._learners.pop(application, None)
        if config == _DEFAULT:
            return None
        learner = PolicyLearner(application, config, policy, statistics, self._around)
        if learner.learns and before is not None and before.key == learner.key:
            learner.know(before.buckets, time.time())
            learner.users.want_those_of(before.users)
        self._learners[application] = learner
        self.wake()
        return learner

    def find(self, application: str) -> PolicyLearner | None:
        """Return what learns for an application."""
        return self._learners.get(application)

    def forget(self, application: str) -> None:
        """Let go of an application that is gone."""
        self._learners.pop(application, None)

    def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self._run(), name="learning")

    def wake(self) -> None:
        """Read soon."""
        self._changed.set()

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            await end_task(self._task)
            self._task = None

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self.read()
                self._away = False
            except RegistryUnavailable as exc:
                if not self._away:
                    logger.warning("policies go on with what they knew: %s", exc)
                self._away = True
            except Exception:
                logger.exception("reading what was learnt failed")
            await asyncio.sleep(_LEAST_INTERVAL_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_READ_INTERVAL_S - _LEAST_INTERVAL_S):
                    await self._changed.wait()

    async def read(self) -> None:
        """Read the counters that are due: those that feedback was added to here, and in turn all."""
        learners = [learner for learner in self._learners.values() if learner.learns]
        now = time.monotonic()
        everything = now >= self._everything_at
        if everything:
            self._everything_at = now + _READ_INTERVAL_S
        await self._read([(one, one.key) for one in learners if everything or one.stale])
        if now >= self._users_again_at:
            self._users_again_at = now + _USERS_INTERVAL_S
            for learner in learners:
                learner.users.want_again()
        await self._read(
            [
                (learner, learner.key._replace(user=user))
                for learner in learners
                for user in learner.users.take_wanted(_USERS_PER_READ)
            ]
        )
        if any(learner.users.are_wanted for learner in learners):
            self.wake()

    async def _read(self, wanted: Sequence[tuple[PolicyLearner, StateKey]]) -> None:
        for start in range(0, len(wanted), _STATES_PER_READ):
            chunk = wanted[start : start + _STATES_PER_READ]
            states = await self._store.read_states([key for _, key in chunk])
            now = time.time()
            for (learner, key), buckets in zip(chunk, states, strict=True):
                if key.user:
                    learner.know_user(key.user, buckets, now)
                else:
                    learner.know(buckets, now)
            await asyncio.sleep(0)

"""The learners of a query frontend, and the task that reads their newest counters from Redis.

It reads all learners' counters about once a second, and some sooner: after feedback was written here, and for
users that are new here. None of this is on the query path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Final

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.query.feedback.learner import PolicyLearner, Shared
from clipper_frontend.query.feedback.memory import FeedbackMemory
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.registry.selection import StateKey
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Policy
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query.learning")

_READ_INTERVAL_S: Final = 1.0
#: Feedback written here and new users have counters read sooner, but not more often than this.
_MIN_INTERVAL_S: Final = 0.1
#: Users in use are read again this often: other frontends get feedback of theirs too.
_USERS_INTERVAL_S: Final = 5.0
#: Users of one application in one reading: making more selectors at once would delay queries.
_USERS_PER_READ: Final = 50
#: States read in one call; queries have their turn before the next.
_STATES_PER_READ: Final = 20
#: With nothing configured nothing is remembered, so that queries cost the same as without policies.
_DEFAULT: Final = PolicyConfig.parse(None)


class PolicyLearners:
    """The learners of all applications on one query frontend.

    `max_users` bounds the users of one application whose state is known here.
    """

    def __init__(self, store: Store, memory: FeedbackMemory, max_users: int) -> None:
        self._store = store
        self._shared = Shared(memory, self.wake, max_users)
        self._learners: dict[str, PolicyLearner] = {}
        self._changed = asyncio.Event()
        self._everything_at = 0.0
        self._users_again_at = 0.0
        self._away = False
        self._task: asyncio.Task[None] | None = None

    def renew(
        self, application: str, config: PolicyConfig, policy: Policy, statistics: ApplicationStatistics
    ) -> PolicyLearner | None:
        """Return a new learner for an application, in place of the one before.

        Returns None for the default policy with nothing configured: its answers are not remembered.
        """
        before = self._learners.pop(application, None)
        if config == _DEFAULT:
            return None
        learner = PolicyLearner(application, config, policy, statistics, self._shared)
        if learner.learns and before is not None and before.key == learner.key:
            learner.know(before.buckets, time.time())
            learner.users.want_those_of(before.users)
        self._learners[application] = learner
        self.wake()
        return learner

    def find(self, application: str) -> PolicyLearner | None:
        """Return the learner of an application, or None."""
        return self._learners.get(application)

    def forget(self, application: str) -> None:
        """Drop the learner of an application that is gone."""
        self._learners.pop(application, None)

    def start(self) -> None:
        """Start reading."""
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
                    logger.warning("policies keep their last known state: %s", exc)
                self._away = True
            except Exception:
                logger.exception("could not read the counters of policies")
            await asyncio.sleep(_MIN_INTERVAL_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_READ_INTERVAL_S - _MIN_INTERVAL_S):
                    await self._changed.wait()

    async def read(self) -> None:
        """Read the counters that are due: stale ones each time, all others about once a second."""
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

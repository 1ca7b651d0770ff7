"""Learners for tests: an application of two models, its policy by name, and a clock set by hand."""

from __future__ import annotations

from typing import Any

from clipper_frontend.query.feedback.learner import PolicyLearner, Shared
from clipper_frontend.query.feedback.memory import FeedbackMemory
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.selection.config import PolicyConfig

MODELS = ("better", "worse")


class Clock:
    """A clock that stands still until `now` is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestedLearner:
    """A learner, the memory that it remembers in, and how often it wanted users to be read."""

    __test__ = False

    def __init__(self, *, max_users: int = 10, max_bytes: int = 1_000_000, **policy: Any) -> None:
        self.clock = Clock()
        self.memory = FeedbackMemory(max_bytes, 60.0, self.clock)
        self.wanted = 0
        self.statistics = ApplicationStatistics()
        for model in MODELS:
            self.statistics.arm(model)
        config = PolicyConfig.parse(policy or {"name": "epsilon_greedy", "loss": "zero_one"})
        shared = Shared(self.memory, self._want, max_users)
        self.learner = PolicyLearner("app", config, config.policy("app", MODELS), self.statistics, shared)

    def _want(self) -> None:
        self.wanted += 1

"""An application as a query frontend serves it: its record, prepared for the query path. No I/O.

One object per application and change of its record or links: what could be computed per query is computed
here. Defines the protocols `Learner` and `Learners`; their implementation lives in feedback/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clipper_frontend.query.bodies.answers import output_json
from clipper_frontend.query.bodies.requests import FeedbackDecoder, PredictDecoder
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.registry.records import ApplicationRecord, OnDefault
from clipper_frontend.selection.config import DEFAULT_POLICY, PolicyConfig
from clipper_frontend.selection.contract import Outputs, Policy, Selection, Selector

_MICROS_PER_S = 1_000_000


class Learner(Protocol):
    """One application's learnt state under one policy. It is called for every query and only looks up."""

    def selector(self, user: str | None) -> Selector:
        """Return the selector made from the newest counters of this user or, without one, the application."""

    def remember(
        self, query_id: int, user: str | None, selection: Selection, outputs: Outputs | bytes | None
    ) -> None:
        """Keep the answer to a query for feedback that may come.

        `outputs` is as Policy.observe() takes it, or the single output of the one arm that was asked. Outputs
        of shadows are added to it when they arrive.
        """


class Learners(Protocol):
    """The learners of this frontend, one for each application that learns."""

    def renew(
        self, application: str, config: PolicyConfig, policy: Policy, statistics: ApplicationStatistics
    ) -> Learner | None:
        """Make and return the learner of an application whose policy or links have changed.

        Return None if nothing is learnt and no answer needs to be remembered.
        """

    def forget(self, application: str) -> None:
        """Drop the learner of an application that was deleted."""


@dataclass(frozen=True)
class Choice:
    """What an application's policy chooses among: for each arm the version that serves it, where one does.

    Without a policy there is nothing to choose from: `refusal` says why, or no model is linked.
    """

    linked: Sequence[str]
    config: PolicyConfig | None = None
    policy: Policy | None = None
    targets: tuple[ServedVersion | None, ...] = ()
    learner: Learner | None = None
    refusal: str | None = None


class Application:
    """An application and what answers it.

    `model` is the linked model's name where there is one alone, or None; `target` the version of it that
    serves, or None. Where the application is `plain`, `target` answers every query; else the policy selects
    among `targets`, by index of its arms. Queries are due `slo_s` after they arrived. Where the SLO is soft
    (`waits`) it only decides what is late, and they are due at `limit_s`.
    """

    __slots__ = (
        "_selector",
        "arm_names",
        "arms",
        "config",
        "decoder",
        "default_json",
        "feedback_decoder",
        "learner",
        "limit_s",
        "linked",
        "model",
        "name",
        "on_default",
        "plain",
        "policy",
        "refusal",
        "slo_s",
        "statistics",
        "target",
        "targets",
        "waits",
    )

    def __init__(
        self,
        record: ApplicationRecord,
        statistics: ApplicationStatistics,
        choice: Choice,
        *,
        max_inputs: int,
        wait_limit_s: float,
    ) -> None:
        self.name = record.name
        self.on_default = record.on_default
        self.waits = record.on_default is OnDefault.WAIT
        self.slo_s = record.slo_micros / _MICROS_PER_S
        self.limit_s = max(self.slo_s, wait_limit_s) if self.waits else self.slo_s
        self.default_json = output_json(record.default_output.encode())
        self.decoder = PredictDecoder(record.input_type, max_inputs)
        self.feedback_decoder = FeedbackDecoder(record.input_type)
        self.statistics = statistics
        self.config = choice.config
        self.policy = choice.policy
        self.refusal = choice.refusal
        self.targets = choice.targets
        self.learner = choice.learner
        self.linked = choice.linked
        self.model = choice.linked[0] if len(choice.linked) == 1 else None
        is_default = self.config is not None and self.config.name == DEFAULT_POLICY
        self.plain = self.policy is None or (is_default and self.learner is None)
        self.target = self.targets[0] if self.plain and self.targets else None
        self.arm_names = choice.policy.arms if choice.policy is not None and not self.plain else ()
        self.arms = tuple(map(statistics.arm, self.arm_names))
        self._selector = self.policy.selector({}) if self.policy is not None else None

    def selector(self, user: str | None) -> Selector:
        """Return what selects for this user's queries now; only where there is a policy."""
        if self.learner is not None:
            return self.learner.selector(user)
        assert self._selector is not None
        return self._selector

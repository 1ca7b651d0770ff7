"""An application as a query frontend serves it: its record, prepared for the query path. No I/O, no clock.

Each change of an application's record or links makes a new object, so that what could be computed per query
is computed per change. Defines the protocols `Learner` and `Learners`; their implementation lives in
feedback/.
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
#: An answer at the deadline is this much later at times, if the event loop is busy with others.
_NOISE_S = 0.010


class Learner(Protocol):
    """The learnt state of one application under one policy; it runs per query, so it only looks up."""

    def selector(self, user: str | None) -> Selector:
        """Return a selector made from the newest counters of this user, or of the application."""

    def remember(
        self, query_id: int, user: str | None, selection: Selection, outputs: Outputs | bytes | None
    ) -> None:
        """Remember the answer to a query for the feedback that may come.

        `outputs` has the shape that Policy.observe() takes, or is the output of the only arm that was asked.
        Outputs of shadows are added to it when they come.
        """


class Learners(Protocol):
    """The learners of all applications on this frontend."""

    def renew(
        self, application: str, config: PolicyConfig, policy: Policy, statistics: ApplicationStatistics
    ) -> Learner | None:
        """Return a new learner for an application whose policy or links have changed.

        Returns None if the policy learns nothing, so that no answer need be remembered.
        """

    def forget(self, application: str) -> None:
        """Forget an application that is gone."""


@dataclass(frozen=True)
class Arms:
    """The arms of an application's policy, and for each the version that serves it, or None.

    Without a policy there are no arms: `policy_refusal` has the reason, or no model is linked.
    """

    linked: Sequence[str]
    config: PolicyConfig | None = None
    policy: Policy | None = None
    targets: tuple[ServedVersion | None, ...] = ()
    learner: Learner | None = None
    policy_refusal: str | None = None
    #: Why an arm has no version that serves it, and what to do; None if it has one, or its model has none.
    details: tuple[str | None, ...] = ()


class Application:
    """An application, and the model versions that answer its queries.

    If it `has_one_target`, `target` answers every query (None: no version serves). Otherwise its policy
    selects among `targets`, by the index of an arm. `model` is the name of the only linked model, or None.
    Queries are due `limit_s` after their arrival. That is the SLO, `slo_s`, unless the application
    `has_soft_slo`: then the SLO only decides which answers are late. Answers after `late_s` say that they are
    late. Times are in seconds.
    """

    __slots__ = (
        "_details",
        "_selector",
        "arm_names",
        "arm_statistics",
        "config",
        "cors_origins",
        "decoder",
        "default_json",
        "feedback_decoder",
        "has_one_target",
        "has_soft_slo",
        "late_s",
        "learner",
        "limit_s",
        "linked",
        "model",
        "name",
        "on_default",
        "policy",
        "policy_refusal",
        "slo_s",
        "statistics",
        "target",
        "targets",
    )

    def __init__(
        self,
        record: ApplicationRecord,
        statistics: ApplicationStatistics,
        arms: Arms,
        *,
        max_inputs: int,
        wait_limit_s: float,
    ) -> None:
        self.name = record.name
        self.on_default = record.on_default
        self.has_soft_slo = record.on_default is OnDefault.WAIT
        self.slo_s = record.slo_micros / _MICROS_PER_S
        self.late_s = self.slo_s + (0.0 if self.has_soft_slo else _NOISE_S)
        self.limit_s = max(self.slo_s, wait_limit_s) if self.has_soft_slo else self.slo_s
        self.default_json = output_json(record.default_output.encode())
        self.decoder = PredictDecoder(record.input_type, max_inputs)
        self.cors_origins = frozenset(origin.encode() for origin in record.cors_origins)
        self.feedback_decoder = FeedbackDecoder(record.input_type)
        self.statistics = statistics
        self.config = arms.config
        self.policy = arms.policy
        self.policy_refusal = arms.policy_refusal
        self.targets = arms.targets
        self._details = arms.details
        self.learner = arms.learner
        self.linked = arms.linked
        self.model = arms.linked[0] if len(arms.linked) == 1 else None
        is_default = self.config is not None and self.config.name == DEFAULT_POLICY
        self.has_one_target = self.policy is None or (is_default and self.learner is None)
        self.target = self.targets[0] if self.has_one_target and self.targets else None
        self.arm_names = arms.policy.arms if arms.policy is not None and not self.has_one_target else ()
        self.arm_statistics = tuple(map(statistics.arm, self.arm_names))
        self._selector = self.policy.selector({}) if self.policy is not None else None

    def why_no_model(self, arm: int) -> str | None:
        """Return why no version serves an arm, by its index, and what to do, as far as that is known."""
        return self.policy_refusal or (self._details[arm] if self._details else None)

    def selector(self, user: str | None) -> Selector:
        """Return the selector for this user's queries; call it only if there is a policy."""
        if self.learner is not None:
            return self.learner.selector(user)
        assert self._selector is not None
        return self._selector

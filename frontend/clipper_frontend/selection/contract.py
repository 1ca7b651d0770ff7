"""The contract of a selection policy: select, combine, observe, and the values that go in and out.

A policy knows the names of its arms (linked models, or versions of them), never the replicas behind them: the
caller finds these by an arm's index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from clipper_frontend.selection.losses import Label, Loss
from clipper_frontend.selection.state import Counters, Increments

#: The reasons why the application's default output is given in place of a combined answer.
LOW_CONFIDENCE: Final = "low_confidence"
NOT_A_NUMBER: Final = "not_a_number"

#: JSON outputs by index of the arm; None if the arm was asked and gave no output.
Outputs: TypeAlias = dict[int, bytes | None]


@dataclass(frozen=True, slots=True)
class Arm:
    """A choice of a policy: a linked model (whichever version serves it), or `<model>:<version>`.

    Each policy defines the meaning of `weight`.
    """

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Setup:
    """The arguments of every policy. There is at least one arm, and all names of arms differ.

    Without a loss, feedback is counted but not measured.
    """

    application: str
    arms: tuple[Arm, ...]
    loss: Loss | None


@dataclass(frozen=True, slots=True)
class Selection:
    """The arms that a query asks, by index. It is made when state changes, and shared by many queries.

    The answer is made of the outputs of `asked`; `shadows` are asked too, but never waited for. `probability`
    is the probability with which `asked` was selected, and `weights` are the weights of `asked` in the
    answer. `only` is the arm whose output is the answer as it is; it is None if outputs must be combined.
    """

    asked: tuple[int, ...]
    weights: tuple[float, ...]
    probability: float = 1.0
    shadows: tuple[int, ...] = ()
    only: int | None = None


class Combined(NamedTuple):
    """The answer of several models, as JSON; if `output` is None, `reason` and `detail` explain why.

    `confidence` is the models' agreement, from 0 to 1. `missing` are the arms that were asked and gave no
    output.
    """

    output: bytes | None
    confidence: float
    missing: tuple[int, ...] = ()
    reason: str | None = None
    detail: str | None = None


class Selector(Protocol):
    """Selects by the counters that it was made of. It never changes; a policy makes a new one.

    `constant` is the selection of every query, if they all have the same; else it is None, and select() is
    called for each. `shares` holds each arm's share of the queries that it answers, or its weight in every
    answer.
    """

    @property
    def constant(self) -> Selection | None: ...

    @property
    def shares(self) -> tuple[float, ...]: ...

    def select(self, user: str | None, random: Callable[[], float]) -> Selection:
        """Return the arms that a query of this user asks. `random` returns a uniform number in [0, 1)."""


class Policy(Protocol):
    """A policy of one application, as configured. It never changes and keeps no state: state is an argument.

    For a query, the selector made of the newest counters selects the arms, the caller gets their outputs from
    the models, and combine() makes one answer of several. The caller remembers the selection under the
    query's id. When feedback for the query arrives, observe() turns it into increments of counters. The
    caller adds them up, for the users of its choice: only their sum matters, discounted by age.

    select() is called for each query, so everything that can be computed in advance is computed in
    selector(). The other methods may take tens of microseconds. selector() must return a sane result for any
    counters: none at all, any sums, and those of unknown arms.
    """

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms' names, by index."""

    @property
    def learns(self) -> bool:
        """Return whether counters change the selection or the combination."""

    def selector(self, counters: Counters) -> Selector:
        """Return the selector for these counters, which are discounted sums of integers."""

    def combine(self, selection: Selection, outputs: Sequence[bytes | None]) -> Combined:
        """Make one answer of JSON outputs in the order of `selection.asked`; None stands for a missing one.

        At least one output is not None.
        """

    def observe(self, selection: Selection, outputs: Mapping[int, bytes | None], label: Label) -> Increments:
        """Return the increments of counters for one feedback.

        `outputs` are JSON by index of the arm: None means that the arm was asked and gave no output; of an
        arm without an entry it is not known. Raises UnfitLabel if the loss cannot measure the label.
        """


class PolicyType(Protocol):
    """A kind of policy, as the table and the entry points of other packages list it.

    `parameters` is a msgspec Struct of its parameters, with defaults. `takes_weights` is whether the arms may
    have weights. `default_loss` is the loss if none is configured, or None. `most_arms` is the maximum number
    of arms. The call raises PolicyRefusal for a setup that the policy does not support.
    """

    @property
    def name(self) -> str: ...

    @property
    def parameters(self) -> type[msgspec.Struct]: ...

    @property
    def takes_weights(self) -> bool: ...

    @property
    def default_loss(self) -> str | None: ...

    @property
    def most_arms(self) -> int: ...

    def __call__(self, setup: Setup, parameters: Any) -> Policy: ...

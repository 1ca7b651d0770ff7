"""What a selection policy is: select, combine, observe. And what it takes and gives.

Owns the contract alone. A policy knows the names of its arms (linked models, or versions of them), never what
serves them: an arm's index leads the caller to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import msgspec

from clipper_frontend.selection.losses import Label, Loss
from clipper_frontend.selection.state import Counters, Increments

#: Why an answer that was combined is not given; the application's default output is.
LOW_CONFIDENCE: Final = "low_confidence"
NOT_A_NUMBER: Final = "not_a_number"

#: JSON outputs by index of the arm. None: the arm was asked and gave none.
Outputs: TypeAlias = dict[int, bytes | None]


@dataclass(frozen=True, slots=True)
class Arm:
    """What a policy chooses among: a linked model (whichever version serves it), or `<model>:<version>`.

    `weight` is a share: what it is a share of, the policy says.
    """

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What every policy is made of; the names of the arms differ, and there is one at least.

    Without a loss, feedback is counted and not measured.
    """

    application: str
    arms: tuple[Arm, ...]
    loss: Loss | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What one query asks, by index of the arm. It is made when state changes, and shared by many queries.

    The answer is made of the outputs of `asked`; those of `shadows` are asked too and never waited for.
    `probability` is the one that `asked` was selected with, `weights` what each of `asked` counts in the
    answer. `only` is the arm whose output is the answer as it is, None where outputs are to be combined.
    """

    asked: tuple[int, ...]
    weights: tuple[float, ...]
    probability: float = 1.0
    shadows: tuple[int, ...] = ()
    only: int | None = None


class Combined(NamedTuple):
    """The answer of several models, as JSON; or, where `output` is None, why none is given.

    `confidence` is how far the models agree, from 0 to 1. `missing` are the arms that were asked and gave no
    output.
    """

    output: bytes | None
    confidence: float
    missing: tuple[int, ...] = ()
    reason: str | None = None
    detail: str | None = None


class Selector(Protocol):
    """Selects by what was known when it was made. It never changes; a policy makes another.

    `constant` is the selection of every query, where it is one; else select() is asked each time. `shares`
    holds, for each arm, the share of queries that it answers, or what it counts in every answer.
    """

    @property
    def constant(self) -> Selection | None: ...

    @property
    def shares(self) -> tuple[float, ...]: ...

    def select(self, user: str | None, random: Callable[[], float]) -> Selection:
        """Return what a query of this user asks. `random` gives a number in [0, 1), evenly."""


class Policy(Protocol):
    """A policy of one application, as configured. It never changes and keeps nothing: state is an argument.

    A query's way: the selector made of the newest counters selects; the caller gets outputs from the models;
    where several were asked, combine() makes them one answer. The caller remembers the selection under the
    query's id. When feedback comes for it, observe() turns it into increments of counters. Who adds them up,
    and for which users, is the caller's to decide: all that matters is their sum, discounted by age.

    select() is called for each query, so all that can be computed before is computed in selector(). The other
    methods may take tens of microseconds. selector() must give a sane result for any counters: none at all,
    any sums, and those of arms that it does not know.
    """

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms' names, by index."""

    @property
    def learns(self) -> bool:
        """Whether counters change what is selected or how it is combined."""

    def selector(self, counters: Counters) -> Selector:
        """Return what selects while the counters are these: integers summed, discounted and thus floats."""

    def combine(self, selection: Selection, outputs: Sequence[bytes | None]) -> Combined:
        """Make one answer of JSON outputs in the order of `selection.asked`; None is one that did not come.

        One output at least is there.
        """

    def observe(self, selection: Selection, outputs: Mapping[int, bytes | None], label: Label) -> Increments:
        """Return what feedback adds to the counters.

        `outputs` are JSON by index of the arm: None says that the arm was asked and gave none, an arm that is
        not there is not known of. Raises UnfitLabel where the loss cannot measure the label.
        """


class PolicyType(Protocol):
    """A kind of policy: what the table and the entry points of other packages name.

    `parameters` is a msgspec Struct of its parameters, with defaults. `takes_weights` says whether the arms
    may be given weights. `default_loss` is the loss where none is configured, or None. `most_arms` bounds how
    many it chooses among. Raises PolicyRefusal for a setup that it cannot do.
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

"""The configuration of an application's policy: a JSON object, or a policy's name alone.

    {"name": "split", "arms": {"wine:1": 9, "wine:2": 1},
     "loss": "squared", "range": [0, 10], "half_life_s": 3600, "user_rounds": 100,
     "parameters": {"salt": "spring"}}

Here are the keys, and the texts of refusals, which name the choices. The registry checks whether an arm's
model is registered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.selection.contract import Arm, Policy, PolicyType, Setup
from clipper_frontend.selection.losses import Loss, LossKind
from clipper_frontend.selection.state import Memory
from clipper_frontend.selection.table import find_policy, policy_names

DEFAULT_POLICY: Final = "default"
#: Clipper's name for the default policy, which its tools write and read.
CLIPPERS_DEFAULT_POLICY: Final = "DefaultOutputSelectionPolicy"

DEFAULT_HALF_LIFE_S: Final = 3600.0
#: A quarter of it is the length of a bucket, which is at least one second.
_MIN_HALF_LIFE_S: Final = 4.0
#: Thirty years.
_MAX_HALF_LIFE_S: Final = 1e9
_MIN_WEIGHT: Final = 1e-9
_MAX_WEIGHT: Final = 1e9
#: A user's own state starts from the application's, which counts as this many rounds at most: after as many
#: feedbacks of one's own, one's own experience outweighs it.
DEFAULT_USER_ROUNDS: Final = 100.0


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The JSON object of a configuration."""

    name: str = DEFAULT_POLICY
    arms: dict[str, float] | list[str] | None = None
    loss: str | None = None
    range: tuple[float, float] | None = None
    half_life_s: Annotated[float, msgspec.Meta(ge=_MIN_HALF_LIFE_S, le=_MAX_HALF_LIFE_S)] | None = (
        DEFAULT_HALF_LIFE_S
    )
    user_rounds: Annotated[float, msgspec.Meta(ge=0, le=1e9)] = DEFAULT_USER_ROUNDS
    parameters: dict[str, Any] = {}


@dataclass(frozen=True)
class PolicyConfig:
    """An application's policy as configured. `parse` makes it, and checks all that needs no registry.

    Without `arms`, the linked models are the arms, with equal weights. A user's own state starts from the
    application's, which counts as `user_rounds` rounds of feedback at most.
    """

    policy_type: PolicyType
    arms: tuple[Arm, ...]
    loss: Loss | None
    memory: Memory
    user_rounds: float
    parameters: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Return the policy's name."""
        return self.policy_type.name

    @property
    def state_name(self) -> str:
        """Return the name of the state: the counters of different losses cannot be mixed."""
        if self.loss is None:
            return "unmeasured"
        ends = f"[{self.loss.low!r},{self.loss.high!r}]" if self.loss.kind.needs_range else ""
        return self.loss.kind.value + ends

    @classmethod
    def parse(cls, value: Any) -> PolicyConfig:
        """Read decoded JSON: an object, a policy's name, or None for the default; raises PolicyRefusal."""
        body = _read(value)
        policy_type = find_policy(DEFAULT_POLICY if body.name == CLIPPERS_DEFAULT_POLICY else body.name)
        config = cls(
            policy_type=policy_type,
            arms=_arms(body, policy_type),
            loss=_loss(body, policy_type),
            memory=Memory(body.half_life_s),
            user_rounds=body.user_rounds,
            parameters=body.parameters,
        )
        _parameters(config)
        if config.arms:
            config.policy("", config.linked_models)
        return config

    @classmethod
    def from_json(cls, text: str) -> PolicyConfig:
        """Read the JSON that to_json() returns; raises PolicyRefusal."""
        try:
            return cls.parse(msgspec.json.decode(text))
        except (msgspec.DecodeError, RecursionError) as error:
            raise PolicyRefusal(f"the policy is not valid JSON: {error}") from error

    def to_json(self) -> str:
        """Return the configuration as JSON."""
        body: dict[str, Any] = {"name": self.name}
        if self.arms:
            names = [arm.name for arm in self.arms]
            body["arms"] = {arm.name: arm.weight for arm in self.arms} if self._is_weighted else names
        if self.loss is not None:
            body["loss"] = self.loss.kind.value
            if self.loss.kind.needs_range:
                body["range"] = [self.loss.low, self.loss.high]
        body |= {"half_life_s": self.memory.half_life_s, "user_rounds": self.user_rounds}
        if self.parameters:
            body["parameters"] = dict(self.parameters)
        return msgspec.json.encode(body).decode()

    @property
    def _is_weighted(self) -> bool:
        return self.policy_type.takes_weights

    @property
    def linked_models(self) -> list[str]:
        """Return the models that the configured arms need to be linked, sorted."""
        return sorted({arm.name.partition(":")[0] for arm in self.arms})

    def policy(self, application: str, linked_models: Iterable[str]) -> Policy:
        """Make the policy of an application that is linked to these models; raises PolicyRefusal."""
        linked = sorted(linked_models)
        arms = self.arms or tuple(map(Arm, linked))
        of = f"application {application!r}" if application else "the application"
        if not arms:
            raise PolicyRefusal(
                f"{of} is linked to no model: the policy {self.name} has nothing to choose from"
            )
        unlinked = sorted(set(self.linked_models) - set(linked))
        if unlinked:
            raise PolicyRefusal(
                f"the policy {self.name} of {of} names models that are not linked to it: "
                f"{', '.join(unlinked)}. Link them, or leave them out of its arms"
            )
        self._check_count(of, [arm.name for arm in arms])
        return self.policy_type(Setup(application, arms, self.loss), _parameters(self))

    def _check_count(self, of: str, arms: list[str]) -> None:
        max_arms = self.policy_type.most_arms
        if len(arms) > max_arms == 1:
            choices = ", ".join(name for name in policy_names() if name != self.name)
            raise PolicyRefusal(
                f"the policy {self.name} answers with one model, and {of} would have {len(arms)}: "
                f"{', '.join(arms)}. Choose a policy for several: {choices}"
            )
        if len(arms) > max_arms:
            raise PolicyRefusal(
                f"the policy {self.name} chooses among {max_arms} models at most, not {len(arms)}"
            )


def _read(value: Any) -> _Body:
    if value is None or isinstance(value, str):
        return _Body(value or DEFAULT_POLICY)
    try:
        return msgspec.convert(value, _Body)
    except msgspec.ValidationError as error:
        keys = ", ".join(_Body.__struct_fields__)
        raise PolicyRefusal(
            f"the policy cannot be read: {error}. It is an object with the keys {keys}"
        ) from error


def _arms(body: _Body, policy_type: PolicyType) -> tuple[Arm, ...]:
    if body.arms is None:
        return ()
    weights = body.arms if isinstance(body.arms, dict) else dict.fromkeys(body.arms, 1.0)
    if not weights or len(weights) < len(body.arms):
        raise PolicyRefusal("the policy's arms must be one model at least, and each only once")
    for name, weight in weights.items():
        _check_arm(name)
        if weight and not _MIN_WEIGHT <= weight <= _MAX_WEIGHT:
            bounds = f"0, or from {_MIN_WEIGHT:g} to {_MAX_WEIGHT:g}"
            raise PolicyRefusal(f"the weight of {name} is {weight:g}: a weight is {bounds}")
    if not any(weights.values()):
        raise PolicyRefusal("one of the weights must be above 0")
    if len(set(weights.values())) > 1 and not policy_type.takes_weights:
        takers = ", ".join(name for name in policy_names() if find_policy(name).takes_weights)
        raise PolicyRefusal(f"the policy {body.name} takes no weights: these do: {takers}")
    return tuple(Arm(name, float(weight)) for name, weight in weights.items())


def _check_arm(name: str) -> None:
    model, separator, version = name.partition(":")
    if not model or (separator and not version) or ":" in version or "," in name:
        raise PolicyRefusal(f"{name!r} names no arm: an arm is a linked model, or <model>:<version>")


def _loss(body: _Body, policy_type: PolicyType) -> Loss | None:
    name = body.loss or policy_type.default_loss
    if name is None:
        if body.range is not None:
            raise PolicyRefusal("a range says nothing without a loss: use squared or absolute")
        return None
    try:
        kind = LossKind(name)
    except ValueError:
        choices = ", ".join(kind.value for kind in LossKind)
        raise PolicyRefusal(f"unknown loss {name!r}: use one of {choices}") from None
    if not kind.needs_range:
        if body.range is not None:
            raise PolicyRefusal(f"the loss {name} takes no range: squared and absolute do")
        return Loss(kind)
    if body.range is None:
        raise PolicyRefusal(f"the loss {name} needs a range: [the lowest, the highest] that outputs may be")
    low, high = body.range
    if not (math.isfinite(low) and math.isfinite(high - low) and low < high):
        raise PolicyRefusal(f"the range [{low:g}, {high:g}] must go from a lower number to a higher one")
    return Loss(kind, low, high)


def _parameters(config: PolicyConfig) -> Any:
    try:
        return msgspec.convert(dict(config.parameters), config.policy_type.parameters)
    except msgspec.ValidationError as error:
        fields = config.policy_type.parameters.__struct_fields__
        takes = f"takes the parameters {', '.join(fields)}" if fields else "takes no parameters"
        raise PolicyRefusal(f"the policy {config.name} {takes}: {error}") from error

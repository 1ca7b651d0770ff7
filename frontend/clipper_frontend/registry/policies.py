"""The selection policy in an application's hash: the fields `policy`, `policy_config` and `most_links`.

Here are also its changes when links change. The scripts check whether links and policy fit together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.registry.records import ApplicationRecord
from clipper_frontend.selection.config import CLIPPERS_DEFAULT_POLICY, DEFAULT_POLICY, PolicyConfig
from clipper_frontend.selection.contract import Arm
from clipper_frontend.selection.table import POLICIES, policy_names

_ANY_NUMBER: Final = "0"
_ONE: Final = "1"


def policy_name(config: PolicyConfig) -> str:
    """Return the policy's name in a record: the default policy has Clipper's name."""
    return CLIPPERS_DEFAULT_POLICY if config.name == DEFAULT_POLICY else config.name


def policy_text(config: PolicyConfig) -> str:
    """Return the configuration in the form of a record."""
    return "" if config == PolicyConfig.parse(None) else config.to_json()


def most_links(config: PolicyConfig) -> dict[str, str]:
    """Return the field from which the scripts read how many models may be linked under the policy."""
    return {"most_links": _ONE if config.policy_type.most_arms == 1 else _ANY_NUMBER}


def policy_fields(config: PolicyConfig) -> dict[str, str]:
    """Return the fields of an application's hash that hold its policy."""
    return {"policy": policy_name(config), "policy_config": policy_text(config)} | most_links(config)


def policies_for_several() -> str:
    """Return the names of the policies under which several models may be linked, for refusals."""
    return ", ".join(name for name in policy_names() if name not in POLICIES or POLICIES[name].most_arms > 1)


def with_weights(
    config: PolicyConfig, linked_models: tuple[str, ...], weights: Mapping[str, float]
) -> PolicyConfig:
    """Return a configuration in which these arms have these weights; raises PolicyRefusal.

    The other arms stay as they are; if no arms were configured, these are the models linked before.
    """
    arms = {arm.name: arm.weight for arm in config.arms or map(Arm, linked_models)}
    return _with_arms(config, {**arms, **weights})


def without_models(record: ApplicationRecord, model_names: Iterable[str]) -> PolicyConfig | None:
    """Return a record's policy without the arms of these models; raises PolicyRefusal if it needs them.

    Return None if it must stay as it is: it has no such arms, or no others, or this frontend does not have
    it.
    """
    try:
        config = record.config
    except PolicyRefusal:
        return None
    gone = set(model_names)
    arms = {arm.name: arm.weight for arm in config.arms if arm.name.partition(":")[0] not in gone}
    return _with_arms(config, arms) if 0 < len(arms) < len(config.arms) else None


def _with_arms(config: PolicyConfig, arms: Mapping[str, float]) -> PolicyConfig:
    body: dict[str, Any] = msgspec.json.decode(config.to_json())
    return PolicyConfig.parse(body | {"arms": arms})

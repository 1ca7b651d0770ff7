"""The table of policies: the built-in ones, one line each, and those of other packages.

Another package adds a policy by an entry point of the group `clipper_nomad.selection_policies`, with the
policy's name, which points to its class (`contract.PolicyType`). Built-in policies cannot be replaced.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.selection.contract import PolicyType
from clipper_frontend.selection.policies.default import Default
from clipper_frontend.selection.policies.epsilon_greedy import EpsilonGreedy
from clipper_frontend.selection.policies.exp3 import Exp3
from clipper_frontend.selection.policies.exp4 import Exp4
from clipper_frontend.selection.policies.majority_vote import MajorityVote
from clipper_frontend.selection.policies.mean import Mean
from clipper_frontend.selection.policies.shadow import Shadow
from clipper_frontend.selection.policies.split import Split
from clipper_frontend.selection.policies.thompson import Thompson

_ATTRIBUTES: Final = ("name", "parameters", "takes_weights", "default_loss", "most_arms")
ENTRY_POINT_GROUP: Final = "clipper_nomad.selection_policies"

_BUILT_IN: Final[tuple[PolicyType, ...]] = (
    Default,
    Split,
    Shadow,
    EpsilonGreedy,
    Exp3,
    Thompson,
    Mean,
    MajorityVote,
    Exp4,
)
POLICIES: Final[Mapping[str, PolicyType]] = {policy.name: policy for policy in _BUILT_IN}


def policy_names() -> list[str]:
    """Return the names of all policies: the built-in ones, then those of other packages."""
    return [*POLICIES, *sorted(set(_installed()) - set(POLICIES))]


def find_policy(name: str) -> PolicyType:
    """Return a policy by its name; raises PolicyRefusal, which names the choices."""
    found = POLICIES.get(name)
    if found is not None:
        return found
    point = _installed().get(name)
    if point is None:
        raise PolicyRefusal(f"unknown policy {name!r}: use one of {', '.join(policy_names())}")
    return _load(point)


@functools.cache
def _installed() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _load(point: EntryPoint) -> PolicyType:
    try:
        found: PolicyType = point.load()
    except (ImportError, AttributeError) as error:
        raise PolicyRefusal(f"the policy {point.name} ({point.value}) cannot be loaded: {error}") from error
    missing = [name for name in _ATTRIBUTES if not hasattr(found, name)]
    if missing:
        raise PolicyRefusal(
            f"{point.value} is not a policy: these attributes are missing: {', '.join(missing)}"
        )
    return found

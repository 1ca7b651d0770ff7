"""The report of a policy's state for people and tools, as plain values for JSON."""

from __future__ import annotations

from typing import Any

from clipper_frontend.selection.config import PolicyConfig
from clipper_frontend.selection.contract import Policy
from clipper_frontend.selection.state import ROUNDS, Counters
from clipper_frontend.selection.tally import Tally


def state_report(config: PolicyConfig, policy: Policy, counters: Counters) -> dict[str, Any]:
    """Return each arm's share, its number of measurements and its mean loss, from the counters.

    Counts are discounted by age; a mean loss, from 0 to 1, is None if there are no measurements.
    """
    shares = policy.selector(counters).shares
    measured = Tally(policy.arms, config.loss).read(counters)
    return {
        "policy": config.name,
        "loss": config.loss.kind.value if config.loss is not None else None,
        "feedback": counters.get(ROUNDS, 0.0),
        "arms": {
            arm: {
                "share": share,
                "feedback": known.times,
                "mean_loss": known.loss / known.times if known.times > 0 else None,
            }
            for arm, share, known in zip(policy.arms, shares, measured, strict=True)
        },
    }

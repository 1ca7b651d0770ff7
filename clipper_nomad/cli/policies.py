"""Selection policies on the command line: parsed from options, and shown with what they have learnt.

The management frontend checks the names of policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from clipper_nomad.cli.output import console, print_table, show
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ManagementError, NotReachableError
from clipper_nomad.types import Policy

POLICY_HELP = "A policy's name, or its configuration as a JSON object."

Arms = Annotated[
    list[str] | None,
    typer.Option(
        "--arm",
        metavar="MODEL[:VERSION][=WEIGHT]",
        help="A model that the policy may choose; may be repeated.",
    ),
]

_STATE_COLUMNS = ("arm", "share", "feedback", "mean loss")


def parse_policy(text: str, arms: Iterable[str]) -> Policy:
    """Return the policy that an argument and the option --arm stand for; raises BadParameter."""
    policy = _parse_object(text) if text.lstrip().startswith("{") else text
    named = dict(map(_parse_arm, arms))
    if not named:
        return policy
    return (dict(policy) if isinstance(policy, Mapping) else {"name": policy}) | {"arms": named}


def read_state(connection: ClipperConnection, app: str, user: str | None) -> dict[str, Any]:
    """Return what a policy has learnt, or under `problem` why it cannot work."""
    try:
        return connection.get_policy_state(app, user)
    except NotReachableError:
        raise
    except ManagementError as error:
        return {"problem": str(error)}


def print_state(state: Mapping[str, Any]) -> None:
    """Print what a policy has learnt, for people."""
    if "problem" in state:
        console.print(f"The policy cannot work: {state['problem']}", markup=False)
        return
    measured = f"loss {show(state['loss'])}, feedback {state['feedback']:.6g}"
    of_user = (
        f" of user {state['user_id']} (own feedback {state['own_feedback']:.6g})"
        if "user_id" in state
        else ""
    )
    rows = [
        (name, f"{arm['share']:.4f}", f"{arm['feedback']:.6g}", _rounded(arm["mean_loss"]))
        for name, arm in state["arms"].items()
    ]
    print_table(f"Policy {state['policy']}{of_user}: {measured}", _STATE_COLUMNS, rows)


def _parse_object(text: str) -> dict[str, Any]:
    try:
        parsed: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"{text!r} is not a JSON object: {error}", param_hint="POLICY") from error
    return parsed


def _parse_arm(text: str) -> tuple[str, float]:
    name, separator, weight = text.partition("=")
    try:
        return name, float(weight) if separator else 1.0
    except ValueError:
        raise typer.BadParameter(f"{weight!r} in {text!r} is not a number", param_hint="--arm") from None


def _rounded(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"

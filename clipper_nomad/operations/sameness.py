"""Registrations that are made again, as a notebook does that runs twice: whether anything differs.

What was not asked for is not compared: the weights that links have set, a policy that was chosen later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from clipper_nomad.errors import ManagementError
from clipper_nomad.management import Record
from clipper_nomad.types import Application, ModelRegistration, ModelVersion, Policy

#: Clipper's name of the policy `default`.
_CLIPPERS_DEFAULT = "DefaultOutputSelectionPolicy"


def require_same_application(wanted: Application, registered: Record) -> None:
    """Raise ManagementError, which names each difference, if an application is registered otherwise."""
    differences = {
        "input_type": (registered.get("input_type"), wanted.input_type),
        "default_output": (registered.get("default_output"), wanted.default_output),
        "slo_micros": (registered.get("latency_slo_micros"), wanted.slo_micros),
        "on_default": (registered.get("on_default"), wanted.on_default),
        **_policies(wanted.policy, registered.get("policy_config")),
        **_origins(wanted.cors_origins, registered.get("cors_origins", ())),
    }
    if found := _describe(differences):
        raise ManagementError(
            f"Application {wanted.name} is registered already, and {found}. Unregister it first with "
            "unregister_application(), change its policy with set_policy(), or use another name."
        )


def _origins(wanted: Sequence[str], registered: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Return the origins of web pages, if any were asked for; the registry has them in lower case."""
    if not wanted:
        return {}
    return {"cors_origins": (sorted(registered), sorted({origin.lower() for origin in wanted}))}


def require_same_model(wanted: ModelRegistration, registered: Record, *, with_image: bool = True) -> None:
    """Raise ManagementError, which names each difference, if a model version is registered otherwise."""
    image = {"image": (registered.get("container_name"), wanted.container_name)} if with_image else {}
    labels = [label for label in registered.get("labels", ()) if label]
    differences = {
        "input_type": (registered.get("input_type"), wanted.input_type),
        "labels": (labels, [label for label in wanted.labels if label]),
        "batch_size": (registered.get("batch_size"), wanted.batch_size),
        "output_type": (registered.get("output_type"), wanted.output_type),
        "cache_ttl_s": (registered.get("cache_ttl_s"), wanted.cache_ttl_s),
        **image,
    }
    if found := _describe(differences):
        raise already_registered(wanted.model, found)


def already_registered(model: ModelVersion, difference: str = "") -> ManagementError:
    """Return the refusal to register or deploy a version again."""
    found = f"{difference}. Use" if difference else "use"
    stop = f'stop_versioned_models({{"{model.name}": ["{model.version}"]}})'
    return ManagementError(
        f"Model version {model} is registered already, and a version never changes: {found} another version, "
        f"or stop this one with {stop} first."
    )


def _describe(pairs: Mapping[str, tuple[object, object]]) -> str:
    """Return what differs in pairs of what is registered and what is asked for; empty if nothing does."""
    return ", ".join(
        f"{name} differs ({there!r} is registered, not {asked!r})"
        for name, (there, asked) in pairs.items()
        if there != asked
    )


def _policies(wanted: Policy | None, registered: Any) -> dict[str, tuple[object, object]]:
    """Return each key of a policy that is asked for, with what is registered under it."""
    if wanted is None:
        return {}
    there = json.loads(registered) if isinstance(registered, str) and registered else registered or {}
    asked = {"name": wanted} if isinstance(wanted, str) else wanted
    return {f"the policy's {key}": (_plain(there.get(key)), _plain(asked[key])) for key in asked}


def _plain(value: Any) -> Any:
    """Return a value of a policy in one form: a list of arms means that all have the same weight."""
    if value == _CLIPPERS_DEFAULT:
        return "default"
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return dict.fromkeys(sorted(value), 1.0)
    return list(value) if isinstance(value, tuple) else value

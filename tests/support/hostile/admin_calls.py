"""Calls of the management port, right and nearly right ones, about names that nobody else uses."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from tests.support.hostile.http_grammar import Call, any_call
from tests.support.hostile.near_json import TYPES, near_body
from tests.support.hostile.query_calls import refused_if_no_json

#: What hostile administrators name; a few, so that they meet.
NAMES = (
    "h0",
    "h1",
    "h2",
    "h3",
    "\u00e9\u0301",
    "a b",
    "%2F",
    "h?x=1",
    "*",
    "[h]",
    "\u202eh",
    "h\u0000",
    "x" * 300,
)
VERSIONS = ("1", "2", "\u0661", "1.0-rc+1", "*")
_POLICIES: tuple[Any, ...] = (
    "default",
    "exp3",
    "exp4",
    "ensemble",
    "nonsense",
    {"name": "exp3", "arms": {}},
    {},
)


def _app(rng: random.Random) -> dict[str, Any]:
    return {
        "name": rng.choice(NAMES),
        "input_type": rng.choice((*TYPES, "double", "nonsense")),
        "default_output": rng.choice(("", "1", "\u202e", "x" * 5000, "\u0000")),
        "latency_slo_micros": rng.choice((1, 20_000, 10**12, 0, -1)),
    }


def _model(rng: random.Random) -> dict[str, Any]:
    return {
        **_version(rng),
        "labels": rng.choice(([], [""], ["a", "b"], ["a,b"])),
        "input_type": rng.choice(TYPES),
        "container_name": "",
        "model_data_path": "",
        "batch_size": rng.choice((-1, 0, 1, 2**31)),
    }


def _version(rng: random.Random) -> dict[str, Any]:
    return {"model_name": rng.choice(NAMES), "model_version": rng.choice(VERSIONS)}


def _links(rng: random.Random) -> dict[str, Any]:
    names = rng.choices(NAMES, k=rng.choice((0, 1, 1, 2)))
    return {"app_name": rng.choice(NAMES), "model_names": names}


def _named(rng: random.Random) -> dict[str, Any]:
    return {"name": rng.choice(NAMES)}


def _application(rng: random.Random) -> dict[str, Any]:
    return {"app_name": rng.choice(NAMES)}


#: The bodies of calls, by their names; the others take the name of an application.
_BODIES: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "add_app": _app,
    "add_model": _model,
    "add_model_links": _links,
    "delete_model_links": _links,
    "delete_versioned_model": _version,
    "set_model_version": _version,
    "get_model": _version,
    "get_model_versions": _version,
    "get_container": lambda rng: {**_version(rng), "replica_id": rng.choice((0, -1, 2**40))},
    "get_linked_models": _application,
    "get_state": lambda rng: {**_application(rng), "uid": rng.choice((0, -1, 2**70))},
    "get_policy_state": _application,
    "set_policy": lambda rng: {**_application(rng), "policy": rng.choice(_POLICIES)},
    "get_all_applications": lambda rng: {"verbose": rng.random() < 0.5},
}


def any_admin_call(rng: random.Random, names: tuple[str, ...]) -> Call:
    """Return a call of the management port, mostly one of the admin calls in `names`."""
    if rng.random() < 0.2:
        return any_call(rng)
    name = rng.choice(names)
    right = _BODIES.get(name, _named)(rng)
    body = near_body(rng, right) if rng.random() < 0.6 else json.dumps(right).encode()
    return Call("POST", f"/admin/{name}".encode(), body, refused_if_no_json(body))

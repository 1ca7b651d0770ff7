"""The rules that hold of a registry after any calls, and the answers of a query frontend that follows it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from clipper_nomad.testing.rest import request
from tests.support.hostile.registry import APPLICATIONS, LINKS, METADATA, MODELS, SELECTION, Registry

_INPUTS: dict[str, Any] = {"doubles": [1.0], "strings": "a"}
_CURRENT, _SERVING = "CURRENT_MODEL_VERSION:", "SERVING_MODEL_VERSION:"


@dataclass(frozen=True)
class State:
    """The registry: the hashes of applications and versions, links, current and serving versions."""

    applications: dict[str, dict[str, str]]
    versions: dict[str, dict[str, str]]
    links: dict[str, set[str]]
    metadata: dict[str, str]
    selection: set[str]

    @classmethod
    def read(cls, registry: Registry) -> State:
        """Read it in Redis."""
        read = registry.read_all
        return cls(read(APPLICATIONS), read(MODELS), read(LINKS), read(METADATA), registry.keys(SELECTION))

    def current(self, model: str) -> str | None:
        """Return a model's current version."""
        return self.metadata.get(_CURRENT + model)


def broken_rules(state: State, present: Counter[str]) -> Iterator[str]:
    """Yield what does not hold of a state; `present` is what was added and not deleted."""
    for name, count in present.items():
        if count != (name in state.applications or name in state.versions):
            yield f"{name} was added {count} times more than it was deleted"
    for app, models in state.links.items():
        if app not in state.applications:
            yield f"{app} has links to {models} and does not exist"
        else:
            yield from _broken_links(state, app, models)
    for key, version in state.metadata.items():
        prefix, _, model = key.rpartition(":")
        if f"{prefix}:" in (_CURRENT, _SERVING) and f"{model}:{version}" not in state.versions:
            yield f"{key} is {version}, which is not registered"
    for key in state.selection:
        parts = key.split(":")
        if parts[1 if parts[0] == "selection" else 0] not in state.applications:
            yield f"{key} is left of an application that was deleted"


def _broken_links(state: State, app: str, models: set[str]) -> Iterator[str]:
    record = state.applications[app]
    if len(models) > 1 and record.get("most_links", "1") == "1":
        yield f"{app} is linked to {models} under a policy for one"
    for model in models:
        current = state.current(model)
        if current is not None and state.versions[f"{model}:{current}"]["input_type"] != record["input_type"]:
            yield f"{app} takes {record['input_type']}, and the current version of its model {model} does not"


def other_answers(
    state: State, address: str, apps: tuple[str, ...], versions: tuple[str, ...]
) -> Iterator[str]:
    """Yield the queries that a frontend answers otherwise than one that follows this state."""
    for app in apps:
        wanted = _wanted(state, app)
        if (got := _ask(state, address, app)) != wanted:
            yield f"{app}: {got} instead of {wanted}"
        linked = state.links.get(app, set())
        if app in state.applications and len(linked) == 1:
            (model,) = linked
            for version in versions:
                known = f"{model}:{version}" in state.versions
                if (got := _ask(state, address, app, version=version)) != ("no_replica" if known else "400"):
                    yield f"{app}, version {version} of {model} (registered: {known}): {got}"


def _wanted(state: State, app: str) -> str:
    if app not in state.applications:
        return "404"
    return "no_replica" if any(map(state.current, state.links.get(app, ()))) else "no_model"


def _ask(state: State, address: str, app: str, **members: str) -> str:
    """Return the status of a query, or the reason of the default output that answers it."""
    value = _INPUTS[state.applications[app]["input_type"] if app in state.applications else "doubles"]
    body = json.dumps({"input": value, **members}).encode()
    status, answer = request(address, "POST", f"/{app}/predict", body)
    return str(json.loads(answer).get("default_reason")) if status == 200 else str(status)

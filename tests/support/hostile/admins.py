"""Administrators who all change the same few applications and models at once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import aiohttp

from tests.support.hostile.budget import Budget, random_of
from tests.support.hostile.conversation import ANSWER_WITHIN_S
from tests.support.hostile.counts import Counts

APPS = tuple(f"shared-{number}" for number in range(6))
MODELS = tuple(f"common-{number}" for number in range(4))
VERSIONS = ("1", "2", "3")
TYPES = ("doubles", "strings")
POLICIES = ("default", "exp3", "exp4")
_LATENCY_SLO_MICROS = 500_000

Operation = tuple[str, dict[str, Any]]


def any_operation(rng: random.Random) -> Operation:
    """Return an admin call and its body."""
    app, model, version = rng.choice(APPS), rng.choice(MODELS), rng.choice(VERSIONS)
    named = {"model_name": model, "model_version": version}
    linked = {"app_name": app, "model_names": [model]}
    return rng.choice(
        (
            ("add_app", _application(rng, app)),
            ("add_app", _application(rng, app)),
            ("delete_app", {"name": app}),
            ("add_model", _registration(rng, named)),
            ("add_model", _registration(rng, named)),
            ("delete_versioned_model", named),
            ("set_model_version", named),
            ("add_model_links", linked),
            ("add_model_links", linked),
            ("delete_model_links", linked),
            ("set_policy", {"app_name": app, "policy": rng.choice(POLICIES)}),
            ("get_application", {"name": app}),
            ("get_all_models", {"verbose": True}),
        )
    )


def _application(rng: random.Random, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "input_type": rng.choice(TYPES),
        "default_output": "0",
        "latency_slo_micros": _LATENCY_SLO_MICROS,
    }


def _registration(rng: random.Random, named: dict[str, str]) -> dict[str, Any]:
    settings = {"labels": [], "container_name": "", "model_data_path": "", "batch_size": -1}
    return {**named, "input_type": rng.choice(TYPES), **settings}


class Admins:
    """The clients, and how often each application and version was added more often than it was deleted."""

    def __init__(self, address: str, counts: Counts) -> None:
        self._address = address
        self._counts = counts
        self.present: Counter[str] = Counter()

    async def work(self, clients: int) -> None:
        """Let so many clients work at once until the time is up."""
        budget = Budget("admins")
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_WITHIN_S)) as session:
            await asyncio.gather(*(self._work(session, number, budget) for number in range(clients)))

    async def _work(self, session: aiohttp.ClientSession, client: int, budget: Budget) -> None:
        rng = random_of("admins", client)
        while budget.is_left():
            name, body = any_operation(rng)
            self._counts.cases += 1
            try:
                async with session.post(f"http://{self._address}/admin/{name}", json=body) as response:
                    status, text = response.status, await response.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                self._counts.unanswered(f"{name} {body}: {error!r}")
                continue
            if status == 200:
                self._note(name, body)
            elif status != 400 or not text:
                self._counts.wrong(f"{name} {body}: {status} {text[:200]!r}")

    def _note(self, name: str, body: dict[str, Any]) -> None:
        key = f"{body.get('model_name')}:{body.get('model_version')}"
        match name:
            case "add_app":
                self.present[body["name"]] += 1
            case "delete_app":
                self.present[body["name"]] -= 1
            case "add_model":
                self.present[key] += 1
            case "delete_versioned_model":
                self.present[key] -= 1

"""The admin calls about selection policies: setting one, and reading its state.

They turn counters into the JSON of get_policy_state; the counters' meaning is selection's.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.management import bodies
from clipper_frontend.management.answers import PolicyState
from clipper_frontend.registry.applications import LinkedApplication
from clipper_frontend.registry.selection import EVERYBODY, StateKey
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.config import DEFAULT_POLICY, PolicyConfig
from clipper_frontend.selection.report import state_report
from clipper_frontend.selection.state import ROUNDS, Counters, started_from


async def set_policy(store: Store, body: bodies.SetPolicy) -> str:
    """Give an application another policy."""
    config = PolicyConfig.parse(body.policy)
    await store.set_policy(body.app_name, config)
    return f"Successfully set policy of application '{body.app_name}' to '{config.name}'"


async def get_policy_state(store: Store, body: bodies.GetPolicyState) -> PolicyState:
    """Return the state of an application's policy, for all users or for one."""
    user = EVERYBODY if body.user_id is None else str(body.user_id)
    return await _learnt(store, await _application(store, body.app_name), user)


async def get_state(store: Store, body: bodies.GetState) -> str | PolicyState:
    """Return the state for a user: with the default policy, the application's default output as text."""
    application = await _application(store, body.app_name)
    if application.record.config.name == DEFAULT_POLICY:
        return application.record.default_output
    return await _learnt(store, application, str(body.uid))


async def _application(store: Store, name: str) -> LinkedApplication:
    application = await store.get_application(name)
    if application is None:
        raise RegistryRefusal(f"No app with name '{name}' exists.")
    return application


async def _learnt(store: Store, application: LinkedApplication, user: str) -> PolicyState:
    name, config = application.record.name, application.record.config
    policy = config.policy(name, application.linked_models)
    state = StateKey(name, config.state_name)
    users = [] if user == EVERYBODY else [user]
    buckets = await store.read_states([state, *(state._replace(user=each) for each in users)])
    now = time.time()
    everybodys, *own = [config.memory.discounted(each, now) for each in buckets]
    about: dict[str, Any] = {"application": name}
    counters: Counters = everybodys
    if own:
        counters = started_from(everybodys, own[0], config.user_rounds)
        about |= {"user_id": user, "own_feedback": own[0].get(ROUNDS, 0.0)}
    return msgspec.convert(about | state_report(config, policy, counters), PolicyState)

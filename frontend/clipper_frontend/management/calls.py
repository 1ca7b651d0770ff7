"""The admin calls: functions that take the store and a decoded body, and return a text or a JSON value.

Refusals are raised as RegistryRefusal and PolicyRefusal. The types of bodies and return values are also those
of the OpenAPI document.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from clipper_container.input_types import InputType
from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.management import answers, bodies, policies, registries
from clipper_frontend.management.answers import Reply
from clipper_frontend.registry.keys import ReplicaKey
from clipper_frontend.registry.names import shown_versions
from clipper_frontend.registry.origins import parse_origins
from clipper_frontend.registry.policies import policy_name, policy_text
from clipper_frontend.registry.records import ApplicationRecord, ModelRecord, OnDefault, OutputType
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.config import PolicyConfig


class Call(NamedTuple):
    """An admin call: the type of its body, its function, and whether it writes to the registry."""

    body_type: type[msgspec.Struct]
    run: Callable[[Store, Any], Awaitable[Reply]]
    writes: bool = False


# -- applications and links --------------------------------------------------------------------------------


async def add_application(store: Store, body: bodies.AddApplication) -> str:
    """Add an application."""
    config = PolicyConfig.parse(body.policy)
    record = ApplicationRecord(
        name=body.name,
        input_type=_input_type(body.input_type),
        policy=policy_name(config),
        default_output=body.default_output,
        slo_micros=body.latency_slo_micros,
        on_default=_on_default(body.on_default),
        policy_config=policy_text(config),
        cors_origins=parse_origins(body.cors_origins or ()),
    )
    await store.add_application(record)
    return f"Successfully added application with name '{body.name}'"


async def delete_application(store: Store, body: bodies.NamedApplication) -> str:
    """Delete an application with its links."""
    await store.delete_application(body.name)
    return f"Successfully deleted application with name '{body.name}'"


async def get_application(
    store: Store, body: bodies.NamedApplication
) -> answers.Application | answers.Unknown:
    """Return an application; {} if unknown."""
    application = await store.get_application(body.name)
    return answers.Application.of(application) if application else answers.Unknown()


async def get_all_applications(store: Store, body: bodies.Listing) -> list[answers.Application] | list[str]:
    """Return all applications."""
    applications = await store.get_applications()
    if body.verbose:
        return [answers.Application.of(application) for application in applications]
    return [application.record.name for application in applications]


async def add_model_links(store: Store, body: bodies.AddLinks) -> str:
    """Link an application to models."""
    await store.add_model_links(body.app_name, body.model_names, body.weights)
    names = _quoted(body.model_names)
    return f"Successfully linked model with name {names} to application '{body.app_name}'"


async def delete_model_links(store: Store, body: bodies.DeleteLinks) -> str:
    """Delete links of an application."""
    await store.delete_model_links(body.app_name, body.model_names)
    names = _quoted(body.model_names)
    return f"Successfully unlinked model with name {names} from application '{body.app_name}'"


async def get_linked_models(store: Store, body: bodies.LinksOfApplication) -> list[str]:
    """Return the names of the models that an application is linked to."""
    return list(await store.get_linked_models(body.app_name))


# -- models ------------------------------------------------------------------------------------------------


async def add_model(store: Store, body: bodies.AddModel) -> str:
    """Register a model version, which becomes current."""
    if body.batch_size == 0:
        raise RegistryRefusal("The batch size must be positive, or -1 to be learnt; it is 0")
    record = ModelRecord(
        name=body.model_name,
        version=body.model_version,
        input_type=_input_type(body.input_type),
        labels=tuple(body.labels),
        container_name=body.container_name,
        model_data_path=body.model_data_path,
        batch_size=body.batch_size,
        output_type=_output_type(body.output_type),
        cache_ttl_s=math.inf if body.cache_ttl_s is None else body.cache_ttl_s,
        deployed_as=body.deployed_as,
    )
    await store.add_model(record)
    return f"Successfully added model with name '{record.name}' and input type '{record.input_type.value}'"


async def delete_versioned_model(store: Store, body: bodies.NamedVersion) -> str:
    """Unregister a model version. If it was the current one, the model has none until another is chosen."""
    left = await store.delete_model_version(body.model_name, body.model_version)
    deleted = f"Successfully deleted model with name '{body.model_name}' and version '{body.model_version}'"
    if not left:
        return deleted
    return (
        f"{deleted}. It was the current version, and model '{body.model_name}' has none now: choose one of "
        f"{shown_versions(left)} with set_model_version"
    )


async def purge_cache(store: Store, body: bodies.PurgeCache) -> str:
    """Drop the cached outputs of a model version, or of one of its replicas, from all query frontends."""
    await store.purge_cache(body.model_name, body.model_version, body.instance_id)
    name, version = body.model_name, body.model_version
    whose = "" if body.instance_id is None else f"replica '{body.instance_id}' of "
    return (
        f"Successfully purged the cached outputs of {whose}model with name '{name}' and version '{version}'"
    )


async def set_model_version(store: Store, body: bodies.NamedVersion) -> str:
    """Make a model version current."""
    await store.set_model_version(body.model_name, body.model_version)
    return f"Successfully set model with name '{body.model_name}' to version '{body.model_version}'"


async def get_model(store: Store, body: bodies.NamedVersion) -> answers.Model | answers.Unknown:
    """Return a model version; {} if unknown."""
    model = await store.get_model(body.model_name, body.model_version)
    return answers.Model.of(model) if model else answers.Unknown()


async def get_all_models(store: Store, body: bodies.Listing) -> list[answers.Model] | list[str]:
    """Return all model versions."""
    models = await store.get_models()
    if body.verbose:
        return [answers.Model.of(model) for model in models]
    return [str(model.record.key) for model in models]


async def get_model_versions(store: Store, body: bodies.NamedModel) -> answers.Versions | answers.Unknown:
    """Return a model's versions, which of them is current, and which one serves; {} if unknown."""
    found = await store.get_model_versions(body.model_name)
    return answers.Versions.of(body.model_name, found) if found.versions else answers.Unknown()


# -- replicas and query frontends --------------------------------------------------------------------------


async def get_container(store: Store, body: bodies.NamedReplica) -> answers.Replica | answers.Unknown:
    """Return a replica; {} if unknown."""
    replica = await store.get_replica(ReplicaKey(body.model_name, body.model_version, body.replica_id))
    return answers.Replica.of(replica) if replica else answers.Unknown()


async def get_all_containers(store: Store, body: bodies.Listing) -> list[answers.Replica] | list[str]:
    """Return all replicas."""
    replicas = await store.get_replicas()
    if body.verbose:
        return [answers.Replica.of(replica) for replica in replicas]
    return [f"{replica.key.version_key}:{replica.replica_id}" for replica in replicas]


async def get_all_query_frontends(
    store: Store, body: bodies.Listing
) -> list[answers.QueryFrontend] | list[str]:
    """Return the live query frontends."""
    frontends = await store.list_frontends()
    if body.verbose:
        return [answers.QueryFrontend.of(frontend) for frontend in frontends]
    return [frontend.id for frontend in frontends]


#: Every POST call, by its path under /admin.
CALLS: Mapping[str, Call] = {
    "add_app": Call(bodies.AddApplication, add_application, writes=True),
    "delete_app": Call(bodies.NamedApplication, delete_application, writes=True),
    "get_application": Call(bodies.NamedApplication, get_application),
    "get_all_applications": Call(bodies.Listing, get_all_applications),
    "add_model_links": Call(bodies.AddLinks, add_model_links, writes=True),
    "delete_model_links": Call(bodies.DeleteLinks, delete_model_links, writes=True),
    "get_linked_models": Call(bodies.LinksOfApplication, get_linked_models),
    "set_policy": Call(bodies.SetPolicy, policies.set_policy, writes=True),
    "get_policy_state": Call(bodies.GetPolicyState, policies.get_policy_state),
    "get_state": Call(bodies.GetState, policies.get_state),
    "add_model": Call(bodies.AddModel, add_model, writes=True),
    "delete_versioned_model": Call(bodies.NamedVersion, delete_versioned_model, writes=True),
    "set_model_version": Call(bodies.NamedVersion, set_model_version, writes=True),
    "purge_cache": Call(bodies.PurgeCache, purge_cache, writes=True),
    "get_model": Call(bodies.NamedVersion, get_model),
    "get_all_models": Call(bodies.Listing, get_all_models),
    "get_model_versions": Call(bodies.NamedModel, get_model_versions),
    "get_container": Call(bodies.NamedReplica, get_container),
    "get_all_containers": Call(bodies.Listing, get_all_containers),
    "get_all_query_frontends": Call(bodies.Listing, get_all_query_frontends),
    "get_registry": Call(bodies.Nothing, registries.get_registry),
    "restore_registry": Call(bodies.Nothing, registries.restore_registry, writes=True),
}


def _input_type(text: str) -> InputType:
    try:
        return InputType.parse(text)
    except ValueError as exc:
        raise RegistryRefusal(str(exc)) from None


def _output_type(text: str) -> OutputType:
    try:
        return OutputType(text)
    except ValueError:
        choices = ", ".join(choice.value for choice in OutputType)
        raise RegistryRefusal(f"unknown output type '{text}': use one of {choices}") from None


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _on_default(text: str | None) -> OnDefault:
    try:
        return OnDefault(text or OnDefault.DEFAULT.value)
    except ValueError:
        choices = ", ".join(choice.value for choice in OnDefault)
        raise RegistryRefusal(f"unknown on_default '{text}': use one of {choices}") from None

"""The JSON objects that admin calls answer with, made from the registry's records under Clipper's names."""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.registry.applications import LinkedApplication
from clipper_frontend.registry.models import ModelVersions, RegisteredModel
from clipper_frontend.registry.records import ApplicationRecord, FrontendRecord, ReplicaRecord

#: A text, sent as it is, or a list or object, sent as JSON.
Reply: TypeAlias = str | list[Any] | msgspec.Struct


class Unknown(msgspec.Struct):
    """The empty object: the registry has nothing of this name."""


class Application(msgspec.Struct):
    """An application with the models that it is linked to.

    `policy_config` is text if this frontend does not have the policy.
    """

    name: str
    input_type: str
    default_output: str
    latency_slo_micros: int
    linked_models: list[str]
    on_default: str
    policy: str
    policy_config: dict[str, Any] | str
    cors_origins: list[str]

    @classmethod
    def of(cls, linked: LinkedApplication) -> Application:
        """Return the answer about an application."""
        record = linked.record
        return cls(
            name=record.name,
            input_type=record.input_type.value,
            default_output=record.default_output,
            latency_slo_micros=record.slo_micros,
            linked_models=list(linked.linked_models),
            on_default=record.on_default.value,
            policy=record.policy,
            policy_config=_policy_config(record),
            cors_origins=list(record.cors_origins),
        )


class Model(msgspec.Struct):
    """A model version. A version without labels has one empty label, as in Clipper.

    A `cache_ttl_s` of null is no limit.
    """

    model_name: str
    model_version: str
    input_type: str
    labels: list[str]
    container_name: str
    model_data_path: str
    batch_size: int
    is_current_version: bool
    output_type: str
    cache_ttl_s: float | None
    deployed_as: str

    @classmethod
    def of(cls, registered: RegisteredModel) -> Model:
        """Return the answer about a model version."""
        record = registered.record
        return cls(
            model_name=record.name,
            model_version=record.version,
            input_type=record.input_type.value,
            labels=list(record.labels) or [""],
            container_name=record.container_name,
            model_data_path=record.model_data_path,
            batch_size=record.batch_size,
            is_current_version=registered.is_current_version,
            output_type=record.output_type.value,
            cache_ttl_s=None if math.isinf(record.cache_ttl_s) else record.cache_ttl_s,
            deployed_as=record.deployed_as,
        )


class Versions(msgspec.Struct):
    """The registered versions of a model, which of them is current, and which answers queries."""

    model_name: str
    current_version: str | None
    serving_version: str | None
    versions: list[str]

    @classmethod
    def of(cls, name: str, found: ModelVersions) -> Versions:
        """Return the answer about a model."""
        return cls(name, found.current_version, found.serving_version, list(found.versions))


class Replica(msgspec.Struct):
    """A replica of a model version; `instance_id` is what all query frontends know it by."""

    model_id: str
    model_name: str
    model_version: str
    model_replica_id: int
    input_type: str
    instance_id: str

    @classmethod
    def of(cls, record: ReplicaRecord) -> Replica:
        """Return the answer about this record."""
        return cls(
            model_id=str(record.key.version_key),
            model_name=record.model_name,
            model_version=record.model_version,
            model_replica_id=record.replica_id,
            input_type=record.input_type.value,
            instance_id=record.instance_id,
        )


class ReadyVersion(msgspec.Struct):
    """A model version that a query frontend has ready, and the RPC version of its replicas."""

    model_name: str
    model_version: str
    rpc_version: int


class QueryFrontend(msgspec.Struct):
    """A live query frontend with the versions that it has ready."""

    id: str
    rpc_address: str
    admin_address: str
    version: str
    ready: list[ReadyVersion]

    @classmethod
    def of(cls, record: FrontendRecord) -> QueryFrontend:
        """Return the answer about this record."""
        return cls(
            id=record.id,
            rpc_address=record.rpc_address,
            admin_address=record.admin_address,
            version=record.version,
            ready=[
                ReadyVersion(name, version, rpc_version)
                for (name, version), rpc_version in sorted(record.ready.items())
            ],
        )


class Registry(msgspec.Struct):
    """The state of the registry: whether Redis holds the one that is followed, and who follows a lost one."""

    is_followed: bool
    followers_of_lost: list[str]


class ArmState(msgspec.Struct):
    """An arm's share of the queries, how often it was measured, and its mean loss from 0 to 1."""

    share: float
    feedback: float
    mean_loss: float | None


class PolicyState(msgspec.Struct):
    """The state of an application's policy, for all users or for one; counts are discounted by age."""

    application: str
    policy: str
    loss: str | None
    feedback: float
    arms: dict[str, ArmState]
    user_id: str | UnsetType = UNSET
    own_feedback: float | UnsetType = UNSET


def _policy_config(record: ApplicationRecord) -> dict[str, Any] | str:
    try:
        config: dict[str, Any] = json.loads(record.config.to_json())
    except PolicyRefusal:
        return record.policy_config
    return config

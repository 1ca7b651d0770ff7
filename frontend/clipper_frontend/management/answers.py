"""The JSON objects of the admin interface, made from the registry's records under Clipper's names."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.registry.applications import LinkedApplication
from clipper_frontend.registry.models import RegisteredModel
from clipper_frontend.registry.records import ApplicationRecord, FrontendRecord, ReplicaRecord

JsonObject: TypeAlias = dict[str, Any]
#: A text, answered as it is, or a list or object, answered as JSON.
Answer: TypeAlias = str | list[Any] | JsonObject


def application(linked: LinkedApplication) -> JsonObject:
    """Return an application with the models that it is linked to."""
    record = linked.record
    return {
        "name": record.name,
        "input_type": record.input_type.value,
        "default_output": record.default_output,
        "latency_slo_micros": record.slo_micros,
        "linked_models": list(linked.linked_models),
        "on_default": record.on_default.value,
        "policy": record.policy,
        "policy_config": _policy_config(record),
    }


def model(registered: RegisteredModel) -> JsonObject:
    """Return a model version. No labels read as one empty label, as they always have."""
    record = registered.record
    return {
        "model_name": record.name,
        "model_version": record.version,
        "input_type": record.input_type.value,
        "labels": list(record.labels) or [""],
        "container_name": record.container_name,
        "model_data_path": record.model_data_path,
        "batch_size": record.batch_size,
        "is_current_version": registered.is_current_version,
    }


def replica(record: ReplicaRecord) -> JsonObject:
    """Return a replica."""
    return {
        "model_id": str(record.key.version_key),
        "model_name": record.model_name,
        "model_version": record.model_version,
        "model_replica_id": record.replica_id,
        "input_type": record.input_type.value,
    }


def query_frontend(record: FrontendRecord) -> JsonObject:
    """Return a query frontend with the versions that it has ready."""
    return {
        "id": record.id,
        "rpc_address": record.rpc_address,
        "admin_address": record.admin_address,
        "version": record.version,
        "ready": [
            {"model_name": name, "model_version": version, "rpc_version": rpc_version}
            for (name, version), rpc_version in sorted(record.ready.items())
        ],
    }


def _policy_config(record: ApplicationRecord) -> JsonObject | str:
    """Return the policy's configuration, or its text where this frontend does not have the policy."""
    try:
        config: JsonObject = json.loads(record.config.to_json())
    except PolicyRefusal:
        return record.policy_config
    return config

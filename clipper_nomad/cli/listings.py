"""Listings of the command line: query frontends, models and applications as plain records.

They join the records of the management frontend and of the container manager.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.management import ManagementClient
from clipper_nomad.types import ModelVersion

Listing = list[dict[str, Any]]


def list_frontends(management: ManagementClient) -> Listing:
    """Return the live query frontends, with the model versions that are ready there."""
    return [
        {
            "id": each.id,
            "rpc_address": each.rpc_address,
            "admin_address": each.admin_address,
            "version": each.version,
            "ready": sorted(map(str, each.ready)),
        }
        for each in management.get_all_query_frontends()
    ]


def list_apps(connection: ClipperConnection) -> Listing:
    """Return all applications, by name."""
    return sorted(map(dict, connection.get_all_apps(verbose=True)), key=lambda each: str(each["name"]))


def list_models(connection: ClipperConnection, management: ManagementClient) -> Listing:
    """Return all versions that are registered or have replicas, by name and version.

    Each says whether it is current and whether it serves, and its replicas: those wanted here (None if
    they run elsewhere), those connected, and how one ended last without being asked to (None if none did).
    """
    wanted = connection.cm.get_replicas()
    ends = connection.cm.get_last_ends()
    connected = Counter(name.rpartition(":")[0] for name in management.list_containers())
    described = management.describe_models()
    registered = {ModelVersion(row["model_name"], row["model_version"]): row for row in described}
    versions = {name: management.get_model_versions(name) for name in {each.name for each in registered}}
    rows: Listing = []
    for model in sorted({*registered, *wanted}, key=lambda each: (each.name, each.version)):
        record = registered.get(model, {})
        rows.append(
            {
                "model": model.name,
                "version": model.version,
                "registered": model in registered,
                "current": bool(record) and versions[model.name].current == model.version,
                "serving": bool(record) and versions[model.name].serving == model.version,
                "input_type": record.get("input_type"),
                "labels": [label for label in record.get("labels", []) if label],
                "output_type": record.get("output_type"),
                "cache_ttl_s": record.get("cache_ttl_s"),
                "replicas_wanted": wanted.get(model),
                "replicas_connected": connected[str(model)],
                "last_end": ends.get(model),
            }
        )
    return rows

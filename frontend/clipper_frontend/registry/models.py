"""The part of the store that holds model versions, with the current and the serving one of each model."""

from __future__ import annotations

import dataclasses
import uuid
from typing import NamedTuple

from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.registry.keys import Database, VersionKey, current_key
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.names import check_id, check_label, check_name
from clipper_frontend.registry.records import ModelRecord
from clipper_frontend.registry.scripts import Scripts, flattened


class RegisteredModel(NamedTuple):
    """A registered version, and whether it is its model's current one."""

    record: ModelRecord
    is_current_version: bool


class ModelVersions(NamedTuple):
    """The registered versions of a model, sorted, the current one, and the one that serves."""

    versions: tuple[str, ...]
    current_version: str | None
    serving_version: str | None


class Models(Scripts):
    """Model versions. Every method raises RegistryUnavailable if Redis gives no answer."""

    async def add_model(self, record: ModelRecord) -> ModelRecord:
        """Register a version under a new registration id, make it current, and return its record.

        Raises RegistryRefusal for bad names or labels, a version that is already registered, or an input type
        that differs from that of linked applications.
        """
        check_name("model name", record.name)
        check_name("model version", record.version)
        for label in record.labels:
            check_label(label)
        labels = () if record.labels == ("",) else record.labels
        registered = dataclasses.replace(record, labels=labels, registration_id=uuid.uuid4().hex)
        await self.run(
            "add_model",
            record.name,
            record.version,
            record.input_type.value,
            *flattened(registered.to_hash()),
        )
        return registered

    async def delete_model_version(self, name: str, version: str) -> tuple[str, ...]:
        """Unregister a version; raises RegistryRefusal if it is not registered.

        If it was the model's current version, the model has none until another is set or added. Returns the
        versions that are left without a current one, sorted; none if one is current or none is left.
        """
        left: list[str] = await self.run("delete_model_version", name, version)
        return tuple(sorted(left))

    async def purge_cache(self, name: str, version: str, instance_id: str | None = None) -> None:
        """Let no query frontend answer from what it has cached of a version, or of one replica of it.

        Of that replica nothing is kept from then on. Raises RegistryRefusal if the version is not registered,
        or an instance id is none.
        """
        if instance_id is None:
            await self.run("purge_cache", name, version)
            return
        check_id("instance id", instance_id)
        if not instance_id:
            raise RegistryRefusal("Invalid instance id '': it must not be empty")
        await self.run("purge_replica", name, version, instance_id)

    async def set_model_version(self, name: str, version: str) -> None:
        """Make a version current.

        Raises RegistryRefusal if it is not registered, or linked applications have another input type.
        """
        await self.run("set_model_version", name, version)

    async def promote(self, name: str) -> str | None:
        """Make the current version serve if it may, and return the version that serves.

        It may if it is ready on every live query frontend, or on any of them by a replica of RPC version 3,
        or on at least one if the first one had it ready 10 s ago. The caller must call again when these have
        passed.
        """
        serving: str | None = await self.run("promote", name)
        return serving

    async def get_model(self, name: str, version: str) -> RegisteredModel | None:
        """Return a version, or None if it is not registered."""
        mirror = Mirror()
        key = VersionKey(name, version)
        mirror.apply(await self.read([(Database.MODELS, str(key)), (Database.METADATA, current_key(name))]))
        return next(iter(_registered(mirror)), None)

    async def get_models(self) -> list[RegisteredModel]:
        """Return all registered versions, sorted by name and version."""
        mirror = Mirror()
        mirror.apply(await self.read_all(Database.MODELS, Database.METADATA))
        return _registered(mirror)

    async def get_model_versions(self, name: str) -> ModelVersions:
        """Return the versions of one model; there are none if it is unknown."""
        mirror = Mirror()
        mirror.apply(await self.read_all(Database.MODELS, Database.METADATA))
        versions = sorted(key.model_version for key in mirror.models if key.model_name == name)
        return ModelVersions(tuple(versions), mirror.current_version(name), mirror.serving_version(name))


def _registered(mirror: Mirror) -> list[RegisteredModel]:
    return [
        RegisteredModel(mirror.models[key], mirror.current_versions.get(key.model_name) == key.model_version)
        for key in sorted(mirror.models)
    ]

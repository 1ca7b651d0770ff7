"""The part of the store that writes and reads model versions, and which of them is current and serves."""

from __future__ import annotations

import dataclasses
import uuid
from typing import NamedTuple

from clipper_frontend.registry.keys import Database, VersionKey, current_key
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.names import check_label, check_name
from clipper_frontend.registry.records import ModelRecord
from clipper_frontend.registry.scripts import Scripts, flattened


class RegisteredModel(NamedTuple):
    """A registered version, and whether it is its model's current one."""

    record: ModelRecord
    is_current_version: bool


class ModelVersions(NamedTuple):
    """The registered versions of a model, sorted, and which of them is current and which serves."""

    versions: tuple[str, ...]
    current_version: str | None
    serving_version: str | None


class Models(Scripts):
    """Model versions. Every method raises RegistryUnavailable where Redis gives no answer."""

    async def add_model(self, record: ModelRecord) -> ModelRecord:
        """Register a version under a new registration id, make it current, and return what was registered.

        Raises RegistryRefusal for bad names or labels, a version that is registered, or an input type that
        linked applications do not have.
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

    async def delete_model_version(self, name: str, version: str) -> None:
        """Unregister a version; raises RegistryRefusal where it is not registered.

        A model whose current version this was has none then, until one is set or added.
        """
        await self.run("delete_model_version", name, version)

    async def set_model_version(self, name: str, version: str) -> None:
        """Make a version current.

        Raises RegistryRefusal where it is not registered, or linked applications have another input type.
        """
        await self.run("set_model_version", name, version)

    async def promote(self, name: str) -> str | None:
        """Make the current version serve where it may by now, and return the version that serves.

        It may when it is ready on every live query frontend, or on any by a replica of RPC version 3, or on
        one at least while the first had it 10 s ago or longer. Who waits for that must call again then.
        """
        serving: str | None = await self.run("promote", name)
        return serving

    async def get_model(self, name: str, version: str) -> RegisteredModel | None:
        """Return a version, or None where it is not registered."""
        mirror = Mirror()
        key = VersionKey(name, version)
        mirror.apply(await self.read([(Database.MODELS, str(key)), (Database.METADATA, current_key(name))]))
        return next(iter(_registered(mirror)), None)

    async def get_models(self) -> list[RegisteredModel]:
        """Return all registered versions, sorted by name and version."""
        mirror = Mirror()
        mirror.apply(await self.read_all(Database.MODELS, Database.METADATA))
        return _registered(mirror)

    async def get_current_version(self, name: str) -> str | None:
        """Return a model's current version where it is registered."""
        return (await self.get_model_versions(name)).current_version

    async def get_model_versions(self, name: str) -> ModelVersions:
        """Return all there is of one model; no versions for an unknown one."""
        mirror = Mirror()
        mirror.apply(await self.read_all(Database.MODELS, Database.METADATA))
        versions = sorted(key.model_version for key in mirror.models if key.model_name == name)
        return ModelVersions(tuple(versions), mirror.current_version(name), mirror.serving_version(name))


def _registered(mirror: Mirror) -> list[RegisteredModel]:
    return [
        RegisteredModel(mirror.models[key], mirror.current_versions.get(key.model_name) == key.model_version)
        for key in sorted(mirror.models)
    ]

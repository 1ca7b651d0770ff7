"""Registered models, their versions and their connected replicas.

They are only read and registered here: deployment.py, replicas.py and stopping.py start and stop replicas.
"""

from __future__ import annotations

import logging
from typing import Any

from clipper_nomad import names
from clipper_nomad.errors import ClipperException, ManagementError
from clipper_nomad.management import ALREADY_EXISTS, ManagementClient, Record
from clipper_nomad.operations.sameness import require_same_model
from clipper_nomad.types import ModelRegistration, ModelVersion

logger = logging.getLogger("clipper")

#: Clipper's word for a model whose containers are started elsewhere.
NO_CONTAINER = "NO_CONTAINER"


class Models:
    """The models of one cluster."""

    def __init__(self, management: ManagementClient) -> None:
        self._management = management

    def register(self, registration: ModelRegistration) -> None:
        """Register a model version without starting anything, which makes it current.

        Returns if it is registered already and nothing differs; which version is current stays as it is then.
        Raises ManagementError, which names each difference, if anything does.
        """
        try:
            self._management.add_model(registration)
        except ManagementError as refusal:
            registered = self._management.get_model(registration.model)
            if ALREADY_EXISTS not in refusal.msg or not registered:
                raise
            require_same_model(registration, registered)
            logger.info("Model version %s is registered already, and nothing differs", registration.model)
        else:
            logger.info("Model version %s was successfully registered", registration.model)

    def purge_cache(self, model: ModelVersion, instance_id: str | None) -> None:
        """Drop a version's cached outputs, or those of one replica, from all query frontends."""
        self._management.purge_cache(model, instance_id)
        whose = "" if instance_id is None else f"replica {instance_id} of "
        logger.info("The cached outputs of %smodel version %s are gone", whose, model)

    def get_current(self, name: str) -> ModelVersion:
        """Return a model's current version. Raises ClipperException when it has none."""
        name = names.parse_known_name(name)
        current = self._management.get_model_versions(name).current
        if current is None:
            raise ClipperException(
                f"Model {name} has no current version: deploy one, or choose one with set_model_version()."
            )
        return ModelVersion(name, current)

    def pick(self, name: str, version: object) -> ModelVersion:
        """Return a model's version; a version of None means the current one."""
        return self.get_current(name) if version is None else names.parse_known_model(name, version)

    def get_all(self, *, verbose: bool) -> list[Any]:
        """Return all registered versions as `name:version`, or their records."""
        if verbose:
            return self._management.describe_models()
        return [str(model) for model in self._management.list_models()]

    def get_info(self, model: ModelVersion) -> Record | None:
        """Return a version's record, or None if it is unknown."""
        return self._management.get_model(model) or None

    def get_all_replicas(self, *, verbose: bool) -> list[Any]:
        """Return all connected replicas as `name:version:replica`, or their records."""
        return self._management.describe_containers() if verbose else self._management.list_containers()

    def get_replica_info(self, model: ModelVersion, replica_id: object) -> Record | None:
        """Return a connected replica's record, or None if it is unknown."""
        number = names.parse_whole_number(replica_id, "replica_id")
        return self._management.get_container(model, number) or None

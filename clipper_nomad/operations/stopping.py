"""The stopping of model versions: the versions meant, and the order of the steps.

Stopping a version unregisters it and removes its replicas. Unregistering comes first: from then on no query
is routed to the version, and its replicas finish what they have while they drain. In the
other order queries would meet a registered version without replicas. A failure half-way leaves replicas that
no query needs; stopping the version again removes them. A version whose deployment registers it meanwhile
is unregistered afterwards.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping

from clipper_nomad import names
from clipper_nomad.errors import ClipperException, ManagementError, NotReachableError
from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.operations.images import Images
from clipper_nomad.types import ModelVersion

logger = logging.getLogger("clipper")


class Stopping:
    """Stops model versions of one cluster."""

    def __init__(self, manager: ContainerManager, management: ManagementClient, images: Images) -> None:
        self._manager = manager
        self._management = management
        self._images = images

    def stop_models(self, model_names: Iterable[str]) -> None:
        """Stop all versions of these models."""
        wanted = _parse_names(model_names)
        self._stop([model for model in self._find_known() if model.name in wanted])

    def stop_versions(self, versions_by_name: Mapping[str, Iterable[object]]) -> None:
        """Stop these versions; an unknown one is skipped with a warning."""
        wanted = _parse_versions(versions_by_name)
        known = self._find_known()
        for model in wanted:
            if model not in known:
                logger.warning("Model version %s is unknown: nothing to stop", model)
        self._stop([model for model in wanted if model in known])

    def stop_inactive(self, model_names: Iterable[str]) -> None:
        """Stop all registered versions of these models that answer no queries.

        The current version, the serving one and those that an application's policy names are kept.
        """
        inactive = []
        named = self._find_named()
        for name in _parse_names(model_names):
            found = self._management.get_model_versions(name)
            versions = [ModelVersion(name, each) for each in found.versions]
            spared = {found.current, found.serving}
            inactive += [each for each in versions if each.version not in spared and str(each) not in named]
        self._stop(inactive)

    def stop_all_models(self) -> None:
        """Stop every version of every model."""
        self._stop(self._find_known())

    def _find_named(self) -> set[str]:
        """Return the versions that applications' policies name, as `<model>:<version>`."""
        configs = [app.get("policy_config") for app in self._management.describe_applications()]
        # The configuration is text if the management frontend does not have the policy.
        read = [json.loads(each) if isinstance(each, str) else each for each in configs if each]
        return {str(arm) for config in read for arm in config.get("arms") or () if ":" in arm}

    def _find_known(self) -> list[ModelVersion]:
        """Return every version that is registered, or has replicas left over from a failure."""
        return list(dict.fromkeys([*self._management.list_models(), *self._manager.get_replicas()]))

    def _stop(self, models: Collection[ModelVersion]) -> None:
        images = [image for model, image in self._images.find_registered().items() if model in models]
        for model in self._find_registered(models):
            self._unregister(model)
        self._manager.stop_models(models)
        self._unregister_late(models)
        self._images.release(images)
        for model in models:
            logger.info("Stopped model version %s", model)
        self._warn_of_none_current({model.name for model in models})

    def _unregister_late(self, models: Collection[ModelVersion]) -> None:
        """Unregister the versions that a deployment registered while their replicas were removed.

        A deployment registers, and then looks for its replicas; this is the other way round. So at least one
        of the two notices the other.
        """
        if registered := self._find_registered(models):
            deployed = self._manager.get_replicas()
            for model in registered:
                if model not in deployed:
                    self._unregister(model)

    def _find_registered(self, models: Collection[ModelVersion]) -> list[ModelVersion]:
        registered = set(self._management.list_models())
        return [model for model in models if model in registered]

    def _unregister(self, model: ModelVersion) -> None:
        try:
            self._management.delete_versioned_model(model)
        except ManagementError as error:
            # Somebody else may have unregistered it just now.
            if isinstance(error, NotReachableError) or self._management.get_model(model):
                raise

    def _warn_of_none_current(self, model_names: Iterable[str]) -> None:
        for name in sorted(model_names):
            found = self._management.get_model_versions(name)
            if found.versions and found.current is None:
                logger.warning(
                    "Model %s has no current version now, so its queries get the default output: choose one "
                    "of %s with set_model_version()",
                    name,
                    ", ".join(found.versions),
                )


def _parse_names(model_names: Iterable[str]) -> list[str]:
    listed = [model_names] if isinstance(model_names, str) else model_names
    return [names.parse_known_name(name) for name in listed]


def _parse_versions(versions_by_name: Mapping[str, Iterable[object]]) -> list[ModelVersion]:
    if not isinstance(versions_by_name, Mapping):
        raise ClipperException(
            f"Could not read the versions to stop from {versions_by_name!r}: "
            'pass {"model name": ["version", ...]}.'
        )
    return [
        names.parse_known_model(name, version)
        for name, versions in versions_by_name.items()
        for version in ([versions] if isinstance(versions, str | int) else versions)
    ]

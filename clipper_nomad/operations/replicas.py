"""Replicas of deployed model versions: their number, and the wait for new ones."""

from __future__ import annotations

import logging

from clipper_nomad.errors import ClipperException, DeploymentError
from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.waiting import wait_until
from clipper_nomad.operations.deployment import count_connected, describe_log
from clipper_nomad.types import ModelVersion

logger = logging.getLogger("clipper")

SCALE_TIMEOUT_S = 60.0


class Replicas:
    """The replicas of one cluster's models."""

    def __init__(self, manager: ContainerManager, management: ManagementClient) -> None:
        self._manager = manager
        self._management = management

    def get_num(self, model: ModelVersion) -> int:
        """Return the number of replicas wanted; 0 for a version that is not deployed."""
        return self._manager.get_num_replicas(model)

    def set_num(self, model: ModelVersion, num_replicas: int, timeout_s: float) -> None:
        """Change the number of replicas, and wait at most `timeout_s` until new ones are connected.

        Raises DeploymentError with the last log lines if they are not; they go on trying. Raises
        ClipperException for a version that is registered without replicas of this cluster.
        """
        self._refuse_containerless(model)
        before = self._manager.get_num_replicas(model)
        logger.info("Model version %s: from %d to %d replicas", model, before, num_replicas)
        self._manager.set_num_replicas(model, num_replicas)
        if num_replicas > before:
            self._wait_connected(model, num_replicas, timeout_s)

    def make_current(self, model: ModelVersion, num_replicas: int | None, timeout_s: float) -> None:
        """Make a registered version current, with this many replicas unless it is None."""
        # Scaled first, so that the queries which the version takes over find its replicas there.
        if num_replicas is not None:
            if not self._management.get_model(model):
                raise ClipperException(f"Model version {model} is not registered: deploy it first.")
            self.set_num(model, num_replicas, timeout_s)
        self._management.set_model_version(model)
        logger.info("Model version %s is now current", model)

    def _refuse_containerless(self, model: ModelVersion) -> None:
        if model not in self._manager.get_replicas() and self._management.get_model(model):
            raise ClipperException(
                f"Cannot resize the replica set for containerless model {model}: it was registered without "
                "replicas of this cluster. Start and stop its containers where they run, or stop the version "
                "with stop_versioned_models() and deploy it."
            )

    def _wait_connected(self, model: ModelVersion, wanted: int, timeout_s: float) -> None:
        missing = wait_until(
            lambda: _describe_missing(self._management.list_containers(), model, wanted),
            lambda: self._manager.check_replicas(model),
            timeout_s,
        )
        if missing:
            raise DeploymentError(
                f"Could not scale model version {model} to {wanted} replicas within {timeout_s:g} s: "
                f"{missing}. The others go on trying; set_num_replicas() removes them. "
                f"{describe_log(self._manager, model)}"
            )


def _describe_missing(connected: list[str], model: ModelVersion, wanted: int) -> str:
    """Return how many of `wanted` replicas are `connected` (`name:version:replica`); empty if all are."""
    count = count_connected(connected, model)
    return "" if count >= wanted else f"{count} of them were connected"

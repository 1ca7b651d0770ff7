"""How many replicas a deployed model version has.

Owns scaling and the wait for new replicas. Knows the contract of a manager and the management frontend.
"""

from __future__ import annotations

import logging

from clipper_nomad.errors import ClipperException, DeploymentError
from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.operations.deployment import describe_log
from clipper_nomad.types import ModelVersion
from clipper_nomad.waiting import wait_until

logger = logging.getLogger("clipper")

SCALE_TIMEOUT_S = 60.0


class Replicas:
    """The replicas of one cluster's models."""

    def __init__(self, manager: ContainerManager, management: ManagementClient) -> None:
        self._manager = manager
        self._management = management

    def get_num(self, model: ModelVersion) -> int:
        """Return how many replicas are wanted; 0 for a version that is not deployed."""
        return self._manager.get_num_replicas(model)

    def set_num(self, model: ModelVersion, num_replicas: int, timeout_s: float) -> None:
        """Change how many replicas there are, and wait at most `timeout_s` until new ones are connected.

        Raises DeploymentError with the last log lines when they do not come up; they go on trying.
        """
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

    def _wait_connected(self, model: ModelVersion, wanted: int, timeout_s: float) -> None:
        lacking = wait_until(
            lambda: _find_lacking(self._management.list_containers(), model, wanted),
            lambda: self._manager.check_replicas(model),
            timeout_s,
        )
        if lacking:
            raise DeploymentError(
                f"Model version {model} was to have {wanted} replicas: after {timeout_s:g} s {lacking}. "
                f"They go on trying; set_num_replicas() takes them away. {describe_log(self._manager, model)}"
            )


def _find_lacking(connected: list[str], model: ModelVersion, wanted: int) -> str:
    """Return what is lacking until `wanted` replicas are among the `connected` (`name:version:replica`)."""
    count = sum(1 for name in connected if name.rpartition(":")[0] == str(model))
    return "" if count >= wanted else f"{count} of them were connected"

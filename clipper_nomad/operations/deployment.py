"""Deploying a model version, whole or not at all.

Owns the order: the version is new, replicas start, every live query frontend has one ready, the version is
registered and so becomes current. Whatever fails on the way, the replicas go again and nothing is registered.
Knows the contract of a manager and the management frontend, and nothing of what is in a model.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from clipper_nomad.errors import ClipperException, DeploymentError, ManagementError, NotReachableError
from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.operations.models import Models
from clipper_nomad.types import DeploySpec, ModelRegistration, ModelVersion, QueryFrontend
from clipper_nomad.waiting import wait_until

logger = logging.getLogger("clipper")

# Loading a large model takes minutes; a replica that keeps failing is noticed long before.
DEPLOY_TIMEOUT_S = 300.0
# A version 3 replica reaches one frontend only, so no other will ever have it.
_ONE_FRONTEND_RPC_VERSION = 3


class Deployment:
    """Deploys model versions to one cluster."""

    def __init__(self, manager: ContainerManager, management: ManagementClient, models: Models) -> None:
        self._manager = manager
        self._management = management
        self._models = models

    def deploy(self, spec: DeploySpec, registration: ModelRegistration, timeout_s: float) -> None:
        """Start replicas, wait at most `timeout_s` until they are ready, and make the version current.

        Raises ClipperException for a version that is registered, DeploymentError with the last log lines when
        replicas do not come up, and what the manager and the management frontend raise.
        """
        self._models.refuse_registered(spec.model)
        logger.info("Starting model version %s, replicas: %d", spec.model, spec.num_replicas)
        # Outside of the clean-up: replicas that another deployment of this version started are not ours.
        self._manager.deploy(spec)
        try:
            if spec.num_replicas:
                self._wait_ready(spec.model, timeout_s)
            self._register(registration)
        except BaseException as exc:
            self._remove_replicas(spec.model, exc)
            raise
        logger.info("Model version %s is ready and current", spec.model)

    def _wait_ready(self, model: ModelVersion, timeout_s: float) -> None:
        lacking = wait_until(
            lambda: _find_lacking(self._management.get_all_query_frontends(), model),
            lambda: self._manager.check_replicas(model),
            timeout_s,
        )
        if lacking:
            raise DeploymentError(
                f"Model version {model} was not ready within {timeout_s:g} s: {lacking}. Nothing was "
                "registered. Pass a longer timeout_s for a model that loads slowly. "
                f"{describe_log(self._manager, model)}"
            )

    def _register(self, registration: ModelRegistration) -> None:
        try:
            self._management.add_model(registration)
        except (NotReachableError, KeyboardInterrupt):
            # Without its answer nobody knows whether the frontend had registered the version.
            with suppress(ManagementError):
                self._management.delete_versioned_model(registration.model)
            raise

    def _remove_replicas(self, model: ModelVersion, cause: BaseException) -> None:
        logger.info("Deploying model version %s failed: removing its replicas", model)
        try:
            self._manager.stop_models([model])
        except ClipperException as exc:
            cause.add_note(
                f"Its replicas could not be removed: {exc} Remove them with stop_versioned_models()."
            )


def describe_log(manager: ContainerManager, model: ModelVersion) -> str:
    """Return the last lines that a version's replicas logged, with a heading."""
    log = manager.tail_logs(model).rstrip()
    return f"The last lines of its log:\n{log}" if log else "Its replicas logged nothing."


def _find_lacking(frontends: list[QueryFrontend], model: ModelVersion) -> str:
    """Return which live query frontends have no replica of `model` ready; empty when none is lacking."""
    if not frontends:
        return "there is no live query frontend"
    rpc_versions = [frontend.ready.get(model) for frontend in frontends]
    if _ONE_FRONTEND_RPC_VERSION in rpc_versions:
        return ""
    lacking = [
        f"{frontend.id} ({frontend.rpc_address})" for frontend in frontends if model not in frontend.ready
    ]
    return f"no replica was ready at query frontend {', '.join(lacking)}" if lacking else ""

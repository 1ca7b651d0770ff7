"""Deployment of a model version, whole or not at all.

The order: the version is new, its folder is built, replicas start, all are connected and every live query
frontend has one ready, the version is registered and so becomes current. If anything fails on the way, the
replicas are removed and nothing is registered. If the version is stopped on the way, the deployment fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from clipper_nomad.errors import ClipperException, DeploymentError, ManagementError, NotReachableError
from clipper_nomad.management import ManagementClient, Record
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.waiting import wait_until
from clipper_nomad.operations.requests import DeployRequest
from clipper_nomad.operations.sameness import already_registered, require_same_model
from clipper_nomad.types import BuildSpec, ModelRegistration, ModelVersion, QueryFrontend

logger = logging.getLogger("clipper")

#: A version 3 replica reaches a single query frontend, so no other will ever have it.
_ONE_FRONTEND_RPC_VERSION = 3


class _NotOursError(DeploymentError):
    """The version was stopped or registered by somebody else, so that its replicas must be left alone."""


class Deployment:
    """Deploys model versions to one cluster."""

    def __init__(self, manager: ContainerManager, management: ManagementClient) -> None:
        self._manager = manager
        self._management = management

    def build_and_deploy(self, spec: BuildSpec, request: DeployRequest) -> None:
        """Build a model's folder, and deploy the image as `deploy` does.

        Of a version that is registered, a folder is built only if nothing else differs.
        """
        self._deploy(request, lambda: build(self._manager, spec))

    def deploy(self, request: DeployRequest, image: str) -> None:
        """Start replicas of `image`, wait until all are ready, and make the version current.

        Returns if the version is deployed already and nothing differs but the number of replicas. Raises
        ClipperException if it is registered otherwise, DeploymentError with the last log lines if a
        replica keeps failing or is not ready in time, or if the version is stopped meanwhile, and what the
        manager and the management frontend raise.
        """
        self._deploy(request, lambda: image)

    def _deploy(self, request: DeployRequest, find_image: Callable[[], str]) -> None:
        registered = self._management.get_model(request.model)
        if registered:
            self._require_same(request, registered, find_image)
        else:
            self._start(request, find_image())

    def _require_same(
        self, request: DeployRequest, registered: Record, find_image: Callable[[], str]
    ) -> None:
        """Raise ClipperException unless a registered version was deployed as it is asked for now."""
        model = request.model
        if not registered.get("deployed_as") or model not in self._manager.get_replicas():
            raise already_registered(model)
        require_same_model(request.registration, registered, with_image=False)
        if request.make_registration(find_image()).deployed_as != registered["deployed_as"]:
            raise already_registered(
                model, "its function, its files, its packages or the options of its deployment differ"
            )
        logger.info("Model version %s is deployed already, and nothing differs", model)
        if not registered.get("is_current_version"):
            logger.warning("Model version %s is not current: set_model_version() makes it so", model)

    def _start(self, request: DeployRequest, image: str) -> None:
        model = request.model
        logger.info("Starting model version %s, replicas: %d", model, request.num_replicas)
        # Outside of the clean-up: replicas that another deployment of this version started are not ours.
        self._manager.deploy(request.make_spec(image))
        try:
            self._wait_ready(model, request.timeout_s)
            if request.has_sample:
                self._warn_of_ignored_sample(model)
            self._register(request.make_registration(image))
        except _NotOursError:
            raise
        except BaseException as exc:
            self._remove_replicas(model, exc)
            raise
        logger.info("Model version %s is ready and current", model)

    def _wait_ready(self, model: ModelVersion, timeout_s: float) -> None:
        missing = wait_until(
            lambda: self._find_missing(model), lambda: self._manager.check_replicas(model), timeout_s
        )
        if missing:
            raise DeploymentError(
                f"Model version {model} was not ready within {timeout_s:g} s: {missing}. Nothing was "
                "registered. Pass a longer timeout_s for a model that loads slowly. "
                f"{describe_log(self._manager, model)}"
            )

    def _warn_of_ignored_sample(self, model: ModelVersion) -> None:
        found = [frontend.ready.get(model) for frontend in self._management.get_all_query_frontends()]
        if _ONE_FRONTEND_RPC_VERSION in found:
            logger.warning(
                "The sample input of model version %s was not tried: its containers speak RPC version %d, "
                "and do not know it",
                model,
                _ONE_FRONTEND_RPC_VERSION,
            )

    def _find_missing(self, model: ModelVersion) -> str:
        """Return what a version's replicas are waited for; empty if all that are wanted now are ready."""
        wanted = self._count_wanted(model)
        if not wanted:
            return ""
        missing = _describe_missing(self._management.get_all_query_frontends(), model)
        if missing or wanted == 1:
            return missing
        connected = count_connected(self._management.list_containers(), model)
        return "" if connected >= wanted else f"{connected} of {wanted} replicas were connected"

    def _count_wanted(self, model: ModelVersion) -> int:
        """Return how many replicas are wanted. Raises DeploymentError if the version was stopped."""
        wanted = self._manager.get_replicas().get(model)
        if wanted is None:
            raise _NotOursError(
                f"Model version {model} was stopped while it was being deployed: it is not registered, and "
                "has no replicas. Deploy it again if it is wanted."
            )
        return wanted

    def _register(self, registration: ModelRegistration) -> None:
        model = registration.model
        try:
            self._management.add_model(registration)
            # After the registration, because whoever stops a version looks for its registration last.
            self._count_wanted(model)
        except BaseException as exc:
            if isinstance(exc, ManagementError) and not isinstance(exc, NotReachableError):
                self._refuse_foreign(model)
            else:
                # Without an answer the frontend may or may not have registered the version.
                with suppress(ManagementError):
                    self._management.delete_versioned_model(model)
            raise

    def _refuse_foreign(self, model: ModelVersion) -> None:
        """Raise DeploymentError if a version, whose registration was refused, is registered by now."""
        if self._management.get_model(model):
            raise _NotOursError(
                f"Model version {model} was registered by somebody else while it was being deployed: its "
                "replicas are left as they are. See get_model_info(), or deploy another version."
            )

    def _remove_replicas(self, model: ModelVersion, cause: BaseException) -> None:
        logger.info("Deployment of model version %s failed: removing its replicas", model)
        try:
            self._manager.stop_models([model])
        except ClipperException as exc:
            cause.add_note(
                f"Its replicas could not be removed: {exc} Remove them with stop_versioned_models()."
            )


def build(manager: ContainerManager, spec: BuildSpec) -> str:
    """Build a model's folder, and return the image. Raises what the manager raises."""
    logger.info("Building model version %s", spec.model)
    return manager.build(spec)


def describe_log(manager: ContainerManager, model: ModelVersion) -> str:
    """Return the last lines that a version's replicas logged, with a heading."""
    log = manager.tail_logs(model).rstrip()
    return f"The last lines of its log:\n{log}" if log else "Its replicas logged nothing."


def count_connected(containers: Iterable[str], model: ModelVersion) -> int:
    """Return how many of these connected replicas (`name:version:replica`) are of `model`."""
    return sum(1 for name in containers if name.rpartition(":")[0] == str(model))


def _describe_missing(frontends: list[QueryFrontend], model: ModelVersion) -> str:
    """Return which live query frontends have no replica of `model` ready; empty if all have one."""
    if not frontends:
        return "there is no live query frontend"
    rpc_versions = [frontend.ready.get(model) for frontend in frontends]
    if _ONE_FRONTEND_RPC_VERSION in rpc_versions:
        return ""
    missing = [
        f"{frontend.id} ({frontend.rpc_address})" for frontend in frontends if model not in frontend.ready
    ]
    return f"no replica was ready at query frontend {', '.join(missing)}" if missing else ""

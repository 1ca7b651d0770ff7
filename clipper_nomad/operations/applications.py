"""Applications, their policies and their links to models, as the admin library sees them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from clipper_nomad import names
from clipper_nomad.errors import ManagementError
from clipper_nomad.management import ALREADY_EXISTS, ManagementClient, Record
from clipper_nomad.operations.sameness import require_same_application
from clipper_nomad.types import Application, Policy

logger = logging.getLogger("clipper")


class Applications:
    """The applications of one cluster."""

    def __init__(self, management: ManagementClient) -> None:
        self._management = management

    def register(self, application: Application) -> None:
        """Register an application, or return if it is registered and nothing differs.

        Raises ManagementError, which names each difference, if an application of this name is another one.
        """
        try:
            self._management.add_app(application)
        except ManagementError as refusal:
            registered = self._management.get_application(application.name)
            if ALREADY_EXISTS not in refusal.msg or not registered:
                raise
            require_same_application(application, registered)
            logger.info("Application %s is registered already, and nothing differs", application.name)
        else:
            logger.info("Application %s was successfully registered", application.name)

    def delete(self, name: str) -> None:
        """Unregister an application."""
        self._management.delete_app(names.parse_application_name(name))
        logger.info("Application %s was successfully deleted", name)

    def link(
        self, app_name: str, model_names: str | Iterable[str], weights: Iterable[float] | None = None
    ) -> None:
        """Let an application's queries be answered by one model, or by several under its policy."""
        app_name, model_names = names.parse_application_name(app_name), names.parse_model_names(model_names)
        checked = None if weights is None else names.parse_weights(weights)
        self._management.add_model_links(app_name, model_names, checked)
        for name in model_names:
            logger.info("Model %s is now linked to application %s", name, app_name)

    def unlink(self, app_name: str, model_name: str) -> None:
        """Unlink a model from an application."""
        app_name, model_name = names.parse_application_name(app_name), names.parse_known_name(model_name)
        self._management.delete_model_links(app_name, [model_name])
        logger.info("Model %s is no longer linked to application %s", model_name, app_name)

    def set_policy(self, app_name: str, policy: Policy) -> None:
        """Replace an application's selection policy, while it is queried."""
        self._management.set_policy(names.parse_application_name(app_name), names.parse_policy(policy))
        logger.info("The policy of application %s was replaced", app_name)

    def get_policy_state(self, app_name: str, user_id: str | int | None) -> Record:
        """Return the state that an application's policy has learnt, for all users or for one."""
        user = None if user_id is None else names.parse_user(user_id)
        return self._management.get_policy_state(names.parse_application_name(app_name), user)

    def get_all(self, *, verbose: bool) -> list[Any]:
        """Return the names of all applications, or their records."""
        return self._management.describe_applications() if verbose else self._management.list_applications()

    def get_info(self, name: str) -> Record | None:
        """Return an application's record, or None if it is unknown."""
        return self._management.get_application(names.parse_application_name(name)) or None

    def get_linked_models(self, app_name: str) -> list[str]:
        """Return the names of the models that an application is linked to."""
        return self._management.get_linked_models(names.parse_application_name(app_name))

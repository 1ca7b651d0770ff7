"""Applications and their links to models, as the admin library sees them.

Owns the checks of what a user passes and the words of the log. Knows the management frontend and no manager.
"""

from __future__ import annotations

import logging
from typing import Any

from clipper_nomad import names
from clipper_nomad.management import ManagementClient, Record
from clipper_nomad.types import Application

logger = logging.getLogger("clipper")


class Applications:
    """The applications of one cluster."""

    def __init__(self, management: ManagementClient) -> None:
        self._management = management

    def register(self, application: Application) -> None:
        """Register an application that nobody registered before."""
        self._management.add_app(application)
        logger.info("Application %s was successfully registered", application.name)

    def delete(self, name: str) -> None:
        """Unregister an application."""
        self._management.delete_app(names.parse_application_name(name))
        logger.info("Application %s was successfully deleted", name)

    def link(self, app_name: str, model_name: str) -> None:
        """Let an application's queries be answered by a model."""
        app_name, model_name = names.parse_application_name(app_name), names.parse_model_name(model_name)
        self._management.add_model_links(app_name, [model_name])
        logger.info("Model %s is now linked to application %s", model_name, app_name)

    def unlink(self, app_name: str, model_name: str) -> None:
        """Take a model away from an application."""
        app_name, model_name = names.parse_application_name(app_name), names.parse_model_name(model_name)
        self._management.delete_model_links(app_name, [model_name])
        logger.info("Model %s is no longer linked to application %s", model_name, app_name)

    def get_all(self, *, verbose: bool) -> list[Any]:
        """Return the names of all applications, or their records."""
        return self._management.describe_applications() if verbose else self._management.list_applications()

    def get_info(self, name: str) -> Record | None:
        """Return an application's record, or None when it is unknown."""
        return self._management.get_application(names.parse_application_name(name)) or None

    def get_linked_models(self, app_name: str) -> list[str]:
        """Return the names of the models that an application is linked to."""
        return self._management.get_linked_models(names.parse_application_name(app_name))

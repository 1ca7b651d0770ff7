"""The part of the store that writes and reads applications and their links to models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clipper_frontend.registry.keys import Database
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.names import check_application_name
from clipper_frontend.registry.records import ApplicationRecord
from clipper_frontend.registry.scripts import Scripts


class LinkedApplication(NamedTuple):
    """An application and the names of the models that it is linked to, sorted."""

    record: ApplicationRecord
    linked_models: tuple[str, ...]


class Applications(Scripts):
    """Applications and links. Every method raises RegistryUnavailable where Redis gives no answer."""

    async def add_application(self, record: ApplicationRecord) -> None:
        """Add an application; raises RegistryRefusal for a bad name, or where there is one of this name."""
        check_application_name(record.name)
        state = json.dumps({"y_hat": record.default_output}, separators=(",", ":"), ensure_ascii=False)
        await self.run("add_application", record.name, state, *flattened(record.to_hash()))

    async def delete_application(self, name: str) -> None:
        """Delete an application with its links; raises RegistryRefusal where there is none."""
        await self.run("delete_application", name)

    async def get_application(self, name: str) -> LinkedApplication | None:
        """Return an application, or None where there is none."""
        mirror = Mirror()
        mirror.apply(await self.read([(Database.APPLICATIONS, name), (Database.LINKS, name)]))
        return next(iter(_linked(mirror)), None)

    async def get_applications(self) -> list[LinkedApplication]:
        """Return all applications, sorted by name."""
        mirror = Mirror()
        mirror.apply(await self.read_all(Database.APPLICATIONS, Database.LINKS))
        return _linked(mirror)

    async def add_model_links(self, application: str, model_names: Sequence[str]) -> None:
        """Link an application to a model. Linking to the linked model again changes nothing.

        Raises RegistryRefusal where either is unknown, their input types differ, or there is another link.
        """
        await self.run("add_model_links", application, *model_names)

    async def delete_model_links(self, application: str, model_names: Sequence[str]) -> None:
        """Delete links; raises RegistryRefusal, deleting none, where one of them is not there."""
        await self.run("delete_model_links", application, *model_names)

    async def get_linked_models(self, application: str) -> tuple[str, ...]:
        """Return the names of the models that an application is linked to, sorted; none if unknown."""
        mirror = Mirror()
        mirror.apply(await self.read([(Database.LINKS, application)]))
        return tuple(sorted(mirror.linked_models(application)))


def flattened(values: Mapping[str, str]) -> list[str]:
    """Return a hash as field, value, field, value …"""
    return [part for item in values.items() for part in item]


def _linked(mirror: Mirror) -> list[LinkedApplication]:
    return [
        LinkedApplication(mirror.applications[name], tuple(sorted(mirror.linked_models(name))))
        for name in sorted(mirror.applications)
    ]

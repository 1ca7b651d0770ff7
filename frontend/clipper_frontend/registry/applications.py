"""The part of the store that writes and reads applications, their policies and their links to models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.registry.keys import Database
from clipper_frontend.registry.mirror import Mirror
from clipper_frontend.registry.names import check_application_name
from clipper_frontend.registry.policies import (
    most_links,
    policies_for_several,
    policy_fields,
    with_weights,
    without_models,
)
from clipper_frontend.registry.records import ApplicationRecord
from clipper_frontend.registry.scripts import Scripts, flattened
from clipper_frontend.selection.config import PolicyConfig


class LinkedApplication(NamedTuple):
    """An application and the names of the models that it is linked to, sorted."""

    record: ApplicationRecord
    linked_models: tuple[str, ...]


class Applications(Scripts):
    """Applications and links. Every method raises RegistryUnavailable if Redis gives no answer."""

    async def add_application(self, record: ApplicationRecord) -> None:
        """Add an application; raises RegistryRefusal for a bad name, or if there is one of this name.

        Raises PolicyRefusal for a policy that this frontend does not have.
        """
        check_application_name(record.name)
        state = json.dumps({"y_hat": record.default_output}, separators=(",", ":"), ensure_ascii=False)
        fields = record.to_hash() | most_links(record.config)
        await self.run("add_application", record.name, state, *flattened(fields))

    async def delete_application(self, name: str) -> None:
        """Delete an application with its links; raises RegistryRefusal if there is none."""
        await self.run("delete_application", name)

    async def get_application(self, name: str) -> LinkedApplication | None:
        """Return an application, or None if there is none."""
        mirror = Mirror()
        mirror.apply(await self.read([(Database.APPLICATIONS, name), (Database.LINKS, name)]))
        return next(iter(_linked(mirror)), None)

    async def get_applications(self) -> list[LinkedApplication]:
        """Return all applications, sorted by name."""
        mirror = Mirror()
        mirror.apply(await self.read_all(Database.APPLICATIONS, Database.LINKS))
        return _linked(mirror)

    async def set_policy(self, application: str, config: PolicyConfig) -> None:
        """Give an application another policy; the state under the same loss is kept.

        Raises RegistryRefusal if there is no such application, or it has more links than the policy takes.
        """
        fields = policy_fields(config)
        most = fields["most_links"]
        await self.run("set_policy", application, policies_for_several(), most, *flattened(fields))

    async def add_model_links(
        self, application: str, model_names: Sequence[str], weights: Sequence[float] | None = None
    ) -> None:
        """Link an application to models. A second link to a model changes nothing but its weight.

        With `weights`, one for each name, the models become arms of the application's policy. Raises
        RegistryRefusal if an application or a model is unknown, input types differ, or the policy takes one
        model only; PolicyRefusal if it takes no weights.
        """
        changed: list[str] = []
        if weights is not None:
            changed = await self._weighing(application, _paired(model_names, weights))
        arguments = [application, policies_for_several(), str(len(model_names)), *model_names, *changed]
        await self.run("add_model_links", *arguments)

    async def delete_model_links(self, application: str, model_names: Sequence[str]) -> None:
        """Delete links, and the policy's arms that need them, unless no arm would be left.

        Raises RegistryRefusal, and deletes no link, if one of them does not exist; PolicyRefusal if the
        policy needs these arms.
        """
        found = await self.get_application(application)
        changed: list[str] = []
        if found is not None and (config := without_models(found.record, model_names)) is not None:
            changed = _replacing(found.record, config)
        await self.run("delete_model_links", application, len(model_names), *model_names, *changed)

    async def get_linked_models(self, application: str) -> tuple[str, ...]:
        """Return the names of the models that an application is linked to, sorted.

        Raises RegistryRefusal if there is no such application.
        """
        found = await self.get_application(application)
        if found is None:
            raise RegistryRefusal(f"No application with name '{application}' exists.")
        return found.linked_models

    async def _weighing(self, application: str, weights: Mapping[str, float]) -> list[str]:
        """Return the arguments with which a script gives arms other weights."""
        found = await self.get_application(application)
        if found is None:
            raise RegistryRefusal(f"No app with name '{application}' exists.")
        config = with_weights(found.record.config, found.linked_models, weights)
        return _replacing(found.record, config)


def _replacing(record: ApplicationRecord, config: PolicyConfig) -> list[str]:
    """Return the arguments with which a script replaces a policy, unless it has changed in the meantime."""
    return [record.policy_config, *flattened(policy_fields(config))]


def _paired(model_names: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    if len(model_names) != len(weights):
        raise RegistryRefusal(
            f"There must be one weight for each model, not {len(weights)} for {len(model_names)}"
        )
    return dict(zip(model_names, weights, strict=True))


def _linked(mirror: Mirror) -> list[LinkedApplication]:
    return [
        LinkedApplication(mirror.applications[name], tuple(sorted(mirror.linked_models(name))))
        for name in sorted(mirror.applications)
    ]

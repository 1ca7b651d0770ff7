"""Routes from a path or a name to an application and its model versions, updated from the mirror. No I/O.

Everything that a query needs is looked up or computed here when the registry changes, not when a query comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from urllib.parse import quote

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.query.bodies.answers import output_json, output_text
from clipper_frontend.query.prediction.predictions import Predictions
from clipper_frontend.query.prediction.sources import source_of
from clipper_frontend.query.prediction.version import ServedVersion
from clipper_frontend.query.prediction.versions import Versions
from clipper_frontend.query.serving.application import Application, Arms, Learners
from clipper_frontend.query.serving.statistics import ApplicationStatistics
from clipper_frontend.registry.mirror import Changes, Mirror
from clipper_frontend.registry.names import shown_versions
from clipper_frontend.registry.records import ApplicationRecord, ModelRecord, OutputType

_RENDERERS = {OutputType.JSON: output_json, OutputType.STRING: output_text}


class Routes:
    """The applications and model versions of one query frontend."""

    def __init__(
        self,
        mirror: Mirror,
        versions: Versions,
        predictions: Predictions,
        *,
        max_inputs: int,
        wait_limit_s: float,
        learners: Learners | None = None,
    ) -> None:
        self._mirror = mirror
        self._learners = learners
        self._max_inputs = max_inputs
        self._wait_limit_s = wait_limit_s
        self.applications: dict[str, Application] = {}
        self.versions = versions
        self._predictions = predictions
        #: Applications by the paths of their predict and update calls.
        self.predict_paths: dict[bytes, Application] = {}
        self.update_paths: dict[bytes, Application] = {}
        self._links: dict[str, frozenset[str]] = {}
        self._applications_of: dict[str, set[str]] = {}
        self._registered: dict[str, set[str]] = {}

    def registered(self, model_name: str | None, model_version: str) -> ServedVersion | None:
        """Return a version of an application's model, or None if it is not registered."""
        if model_name is None or not self._mirror.is_registered(model_name, model_version):
            return None
        return self.versions.get(model_name, model_version)

    def apply(self, changes: Changes) -> None:
        """Apply a change of the registry."""
        for name in changes.applications:
            self._relink(name)
        stale = set(changes.applications)
        registered = self._registered_versions(changes.models)
        for model_name in changes.models:
            self._reregister(model_name, registered[model_name])
            stale |= self._applications_of.get(model_name, set())
        touched = set(changes.models)
        for name in stale:
            touched |= self._mirror.linked_models(name)
            self._rebuild(name)
        for model_name in touched:
            self._set_shortest_slo(model_name)

    def forget_idle(self) -> None:
        """Drop the versions that have no registration, no replica and no queue."""
        self.versions.forget_idle(self._mirror.is_registered)

    def _relink(self, name: str) -> None:
        for model_name in self._links.pop(name, ()):
            self._applications_of[model_name].discard(name)
        linked = self._mirror.linked_models(name)
        if linked:
            self._links[name] = linked
        for model_name in linked:
            self._applications_of.setdefault(model_name, set()).add(name)

    def _registered_versions(self, model_names: Iterable[str]) -> dict[str, dict[str, ModelRecord]]:
        """Return the registered versions of these models, in one pass."""
        found: dict[str, dict[str, ModelRecord]] = {name: {} for name in model_names}
        for key, record in self._mirror.models.items():
            if key.model_name in found:
                found[key.model_name][key.model_version] = record
        return found

    def _reregister(self, model_name: str, registered: dict[str, ModelRecord]) -> None:
        """Apply the records of a model's versions."""
        known = self._registered.get(model_name, set())
        self._registered[model_name] = set(registered)
        for model_version in known | set(registered):
            version, record = self.versions.get(model_name, model_version), registered.get(model_version)
            _configure(version, record)
            if record is not None:
                self._predictions.purge_sources(version, frozenset(map(source_of, record.purged_replicas)))

    def _rebuild(self, name: str) -> None:
        """Replace the application's object, or remove it if the application is gone."""
        record = self._mirror.applications.get(name)
        before = self.applications.pop(name, None)
        predict_path, update_path = (f"/{quote(name)}/{verb}".encode() for verb in ("predict", "update"))
        if record is None:
            self.predict_paths.pop(predict_path, None)
            self.update_paths.pop(update_path, None)
            if self._learners is not None:
                self._learners.forget(name)
            return
        statistics = before.statistics if before is not None else ApplicationStatistics()
        application = Application(
            record,
            statistics,
            self._arms(record, statistics),
            max_inputs=self._max_inputs,
            wait_limit_s=self._wait_limit_s,
        )
        self.applications[name] = application
        self.predict_paths[predict_path] = self.update_paths[update_path] = application

    def _arms(self, record: ApplicationRecord, statistics: ApplicationStatistics) -> Arms:
        """Return the arms of the application's policy; none, with the reason, if the policy is refused."""
        linked = sorted(self._mirror.linked_models(record.name))
        try:
            config = record.config
            if not linked and not config.arms:
                return Arms(linked, config)
            policy = config.policy(record.name, linked)
        except PolicyRefusal as refusal:
            return Arms(linked, policy_refusal=str(refusal))
        learner = None
        if self._learners is not None:
            learner = self._learners.renew(record.name, config, policy, statistics)
        targets = tuple(map(self._serving, policy.arms))
        details = tuple(
            None if target else self._why_none_serves(arm)
            for arm, target in zip(policy.arms, targets, strict=True)
        )
        return Arms(linked, config, policy, targets, learner, details=details)

    def _serving(self, arm: str) -> ServedVersion | None:
        """Return the version that serves an arm, `<model>` or `<model>:<version>`; None if none does."""
        model_name, _, model_version = arm.partition(":")
        if model_version:
            return self.registered(model_name, model_version)
        serving = self._mirror.serving_version(model_name)
        return self.versions.get(model_name, serving) if serving is not None else None

    def _why_none_serves(self, arm: str) -> str | None:
        """Return why no version serves an arm, and what to do; None if its model has no version at all."""
        model_name, _, model_version = arm.partition(":")
        versions = sorted(self._registered.get(model_name, ()))
        if not versions:
            return None
        left = shown_versions(versions)
        if model_version:
            return (
                f"version '{model_version}' of model '{model_name}' is not registered: name one of {left} in "
                "the policy with set_policy"
            )
        return f"model '{model_name}' has no current version: choose one of {left} with set_model_version"

    def _set_shortest_slo(self, model_name: str) -> None:
        linked = (self.applications.get(name) for name in self._applications_of.get(model_name, ()))
        shortest = min((application.slo_s for application in linked if application), default=float("inf"))
        for model_version in self._registered.get(model_name, ()):
            version = self.versions.get(model_name, model_version)
            version.shortest_slo_s = shortest
            version.update_admission()


def _configure(version: ServedVersion, record: ModelRecord | None) -> None:
    if record is None:
        version.input_type = None
        return
    version.input_type = record.input_type
    version.batch_size = record.batch_size
    version.render = _RENDERERS[record.output_type]
    version.cache_ttl_s = None if math.isinf(record.cache_ttl_s) else record.cache_ttl_s
    version.cache_prefix = _cache_prefix(record)


def _cache_prefix(record: ModelRecord) -> bytes | None:
    if record.cache_ttl_s == 0:
        return None
    # Each registration has its own id, so that a version registered again finds no old answers; and so has
    # each epoch.
    epoch = f".{record.cache_epoch}" if record.cache_epoch else ""
    return f"{record.name}:{record.version}:{record.registration_id}{epoch}:".encode()

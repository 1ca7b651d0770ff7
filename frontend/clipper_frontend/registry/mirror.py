"""The mirror: an in-memory copy of the registry, from which queries are routed.

It returns the names that each batch of values has changed. There is no I/O: the follower writes to it, and
all others only read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from clipper_frontend.registry import keys
from clipper_frontend.registry.hashes import read_record
from clipper_frontend.registry.keys import Database, ReplicaKey, VersionKey
from clipper_frontend.registry.records import (
    ApplicationRecord,
    FrontendRecord,
    ModelRecord,
)

#: A key's value as read: a hash, a set, a string, or None if there is no such key.
Value: TypeAlias = Mapping[str, str] | frozenset[str] | str | None
Entry: TypeAlias = tuple[Database, str, Value]

_K = TypeVar("_K")


@dataclass(frozen=True)
class Changes:
    """The names that a batch of values has changed.

    `applications`: added, changed or deleted, links included. `models`: a version registered or unregistered,
    the current or the serving version changed. `replicas`: models with a replica added or removed.
    `frontends`: whether any query frontend's record changed.
    """

    applications: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    replicas: frozenset[str] = frozenset()
    frontends: bool = False

    def __bool__(self) -> bool:
        return bool(self.applications or self.models or self.replicas or self.frontends)


class Mirror:
    """The registry as it was last read. Readers must not change it."""

    def __init__(self) -> None:
        self.applications: dict[str, ApplicationRecord] = {}
        self.links: dict[str, frozenset[str]] = {}
        self.models: dict[VersionKey, ModelRecord] = {}
        self.current_versions: dict[str, str] = {}
        self.serving_versions: dict[str, str] = {}
        self.frontends: dict[str, FrontendRecord] = {}
        #: The same records by each number that query ids of that frontend begin with.
        self.frontends_by_number: dict[int, FrontendRecord] = {}
        self.replicas: dict[ReplicaKey, bool] = {}
        #: The epochs of this registry, and of those that were put back into it.
        self.epochs: frozenset[str] = frozenset()

    def is_registered(self, model_name: str, model_version: str) -> bool:
        """Return whether this version is registered."""
        return VersionKey(model_name, model_version) in self.models

    def linked_models(self, application: str) -> frozenset[str]:
        """Return the names of the models that an application is linked to."""
        return self.links.get(application, frozenset())

    def current_version(self, model_name: str) -> str | None:
        """Return a model's current version if it is registered, else None."""
        return self._registered(model_name, self.current_versions)

    def serving_version(self, model_name: str) -> str | None:
        """Return the version that answers a model's queries, or None if the model has none.

        It is the serving version if one is set and registered, else the current version if it is registered.
        """
        serving = self._registered(model_name, self.serving_versions)
        return serving if serving is not None else self.current_version(model_name)

    def awaiting_promotion(self) -> list[str]:
        """Return the models whose current version is registered and does not serve yet."""
        return [
            name
            for name in self.current_versions
            if self.current_version(name) not in (None, self.serving_version(name))
        ]

    def live_versions(self) -> set[VersionKey]:
        """Return the versions of which any query frontend holds a replica."""
        return {key.version_key for key in self.replicas}

    def apply(self, entries: Iterable[Entry]) -> Changes:
        """Take over the values of some keys, and return the changes."""
        changes = _Collector()
        for database, key, value in entries:
            self._apply_one(database, key, value, changes)
        if changes.frontends:
            self.frontends_by_number = _by_number(self.frontends.values())
        return changes.done()

    def adopt(self, fresh: Mirror) -> Changes:
        """Become equal to `fresh`, a mirror of the whole registry, and return the changes."""
        changes = _Collector()
        changes.applications |= _differing(self.applications, fresh.applications)
        changes.applications |= _differing(self.links, fresh.links)
        changes.models |= {key.model_name for key in _differing(self.models, fresh.models)}
        changes.models |= _differing(self.current_versions, fresh.current_versions)
        changes.models |= _differing(self.serving_versions, fresh.serving_versions)
        changes.replicas |= {key.model_name for key in _differing(self.replicas, fresh.replicas)}
        changes.frontends = bool(_differing(self.frontends, fresh.frontends))
        self.__dict__.update(fresh.__dict__)
        return changes.done()

    def _registered(self, model_name: str, versions: Mapping[str, str]) -> str | None:
        version = versions.get(model_name)
        return version if version is not None and self.is_registered(model_name, version) else None

    def _apply_one(self, database: Database, key: str, value: Value, changes: _Collector) -> None:
        match database:
            case Database.APPLICATIONS:
                application = _read_hash(value, lambda values: ApplicationRecord.from_hash(key, values))
                changes.application(key, _put(self.applications, key, application))
            case Database.LINKS:
                linked = value if isinstance(value, frozenset) else None
                changes.application(key, _put(self.links, key, linked))
            case Database.MODELS:
                self._apply_model(key, value, changes)
            case Database.METADATA:
                self._apply_metadata(key, value, changes)
            case Database.REPLICAS:
                self._apply_replica(key, value, changes)
            case Database.FRONTENDS if key.startswith(keys.FRONTEND_PREFIX):
                frontend_id = key[len(keys.FRONTEND_PREFIX) :]
                record = _read_hash(value, lambda values: FrontendRecord.from_hash(frontend_id, values))
                changes.frontends |= _put(self.frontends, frontend_id, record)
            case _:
                pass  # not used for routing: selection state, and keys of other tools

    def _apply_model(self, key: str, value: Value, changes: _Collector) -> None:
        try:
            version_key = VersionKey.parse(key)
        except ValueError:
            return
        model = _read_hash(value, lambda values: ModelRecord.from_hash(version_key, values))
        changes.model(version_key.model_name, _put(self.models, version_key, model))

    def _apply_metadata(self, key: str, value: Value, changes: _Collector) -> None:
        if key == keys.EPOCHS:
            self.epochs = value if isinstance(value, frozenset) else frozenset()
            return
        version = value if isinstance(value, str) else None
        for prefix, versions in (
            (keys.CURRENT_PREFIX, self.current_versions),
            (keys.SERVING_PREFIX, self.serving_versions),
        ):
            if key.startswith(prefix):
                name = key[len(prefix) :]
                changes.model(name, _put(versions, name, version))

    def _apply_replica(self, key: str, value: Value, changes: _Collector) -> None:
        try:
            replica = ReplicaKey.parse(key)
        except ValueError:
            return
        if _put(self.replicas, replica, True if value else None):
            changes.replicas.add(replica.model_name)


class _Collector:
    """Gathers the changes of a batch."""

    def __init__(self) -> None:
        self.applications: set[str] = set()
        self.models: set[str] = set()
        self.replicas: set[str] = set()
        self.frontends = False

    def application(self, name: str, changed: bool) -> None:
        if changed:
            self.applications.add(name)

    def model(self, name: str, changed: bool) -> None:
        if changed:
            self.models.add(name)

    def done(self) -> Changes:
        return Changes(
            frozenset(self.applications), frozenset(self.models), frozenset(self.replicas), self.frontends
        )


def _by_number(frontends: Iterable[FrontendRecord]) -> dict[int, FrontendRecord]:
    return {number: frontend for frontend in frontends for number in frontend.numbers}


def _read_hash(value: Value, read: Any) -> Any:
    return read_record(lambda: read(value)) if isinstance(value, Mapping) and value else None


def _put(table: dict[_K, Any], key: _K, value: Any) -> bool:
    """Set or, with None, remove a key, and return whether that changed the table."""
    before = table.get(key)
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
    return bool(before != value)


def _differing(old: Mapping[_K, Any], new: Mapping[_K, Any]) -> set[_K]:
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}

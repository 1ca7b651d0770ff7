"""The model versions of one query frontend. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clipper_frontend.query.prediction.version import ServedVersion


class Versions:
    """Model versions by name, registered or not: replicas may connect before the registration."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], ServedVersion] = {}

    def __iter__(self) -> Iterator[ServedVersion]:
        return iter(self._versions.values())

    def get(self, model_name: str, model_version: str) -> ServedVersion:
        """Return a model version; it is made at the first call."""
        key = (model_name, model_version)
        found = self._versions.get(key)
        if found is None:
            found = self._versions[key] = ServedVersion(model_name, model_version)
        return found

    def find(self, key: tuple[str, str]) -> ServedVersion | None:
        """Return a model version if it exists, else None."""
        return self._versions.get(key)

    def forget_if_idle(self, version: ServedVersion) -> None:
        """Drop a version that lost its last replica, unless it is registered or has a queue.

        A version that is not registered is here for its replicas only.
        """
        if version.input_type is None and not version.replicas and not version.queue:
            self._versions.pop((version.name, version.version), None)

    def forget_idle(self, is_registered: Callable[[str, str], bool]) -> None:
        """Drop the versions that have no registration, no replica and no queue."""
        for key, version in list(self._versions.items()):
            if not version.replicas and not version.queue and not is_registered(*key):
                del self._versions[key]

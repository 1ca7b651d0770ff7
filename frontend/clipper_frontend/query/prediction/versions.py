"""The model versions of one query frontend, made when they are first asked for. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clipper_frontend.query.prediction.version import ServedVersion


class Versions:
    """Versions by model and version: registered ones, and those that replicas brought before."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], ServedVersion] = {}

    def __iter__(self) -> Iterator[ServedVersion]:
        return iter(self._versions.values())

    def get(self, model_name: str, model_version: str) -> ServedVersion:
        """Return the object of a model version, made when it is first asked for."""
        key = (model_name, model_version)
        found = self._versions.get(key)
        if found is None:
            found = self._versions[key] = ServedVersion(model_name, model_version)
        return found

    def find(self, key: tuple[str, str]) -> ServedVersion | None:
        """Return a version that was asked for, else None."""
        return self._versions.get(key)

    def forget_idle(self, is_registered: Callable[[str, str], bool]) -> None:
        """Drop the versions that are neither registered nor connected nor waited for."""
        for key, version in list(self._versions.items()):
            if not version.replicas and not version.queue and not is_registered(*key):
                del self._versions[key]

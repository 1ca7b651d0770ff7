"""The readiness of this query frontend, with the reason if it is not ready. No I/O: time is an argument.

It is ready once it has read the registry and has a replica of each current version that had live ones then,
or a bounded time after that; it stops being ready when it drains. Containers need only a registry that was
read.
"""

from __future__ import annotations

from collections.abc import Set

from clipper_frontend import health
from clipper_frontend.query.prediction.versions import Versions
from clipper_frontend.registry.mirror import Mirror

#: The longest that a fresh frontend waits for the replicas that other frontends have.
_REPLICA_WAIT_S = 10.0


class Readiness:
    """The state behind /health/ready and /health/rpc."""

    def __init__(self, mirror: Mirror, versions: Versions) -> None:
        self._mirror = mirror
        self._versions = versions
        self._expected: set[tuple[str, str]] = set()
        self._wait_until = 0.0
        self.followed = False
        self.draining = False
        #: Whether Redis holds another registry than the one that is followed.
        self.replaced = False

    def registry_followed(self, now: float) -> None:
        """Note that the registry was read in full; the first time decides which replicas to wait for."""
        self.replaced = False
        if not self.followed:
            self.followed = True
            self._wait_until = now + _REPLICA_WAIT_S
            live = self._mirror.live_versions()
            self._expected = {
                (key.model_name, key.model_version)
                for key in live
                if self._mirror.current_version(key.model_name) == key.model_version
            }

    @property
    def notice(self) -> str:
        """Return what an operator should know though queries are served; empty if there is nothing."""
        return health.REPLACED if self.replaced else ""

    def not_ready_for_containers(self) -> str | None:
        """Return the reason why containers should not be sent here, or None."""
        if self.draining:
            return health.DRAINING
        if not self.followed:
            return "Redis was not followed yet"
        return None

    def not_ready(self, now: float) -> str | None:
        """Return the reason why queries should not be sent here, or None."""
        problem = self.not_ready_for_containers()
        if problem is None and (missing := self.missing(now)):
            names = ", ".join(sorted(f"{name}:{version}" for name, version in missing))
            return f"no replica has connected here yet of {names}"
        return problem

    def missing(self, now: float) -> Set[tuple[str, str]]:
        """Return the model versions, by name and version, that it still waits for; none once it is ready."""
        if self._expected:
            self._expected = {key for key in self._expected if self._is_missing(key)}
            if now >= self._wait_until:
                self._expected = set()
        return self._expected

    def _is_missing(self, key: tuple[str, str]) -> bool:
        version = self._versions.find(key)
        return version is None or not version.ready

"""The start of a cluster's Redis and frontends, and the roll of a running cluster's frontends.

A start or a roll that fails is taken back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings, component_image, resolve_image
from clipper_nomad.managers import health, messages, ports
from clipper_nomad.managers.compatibility import require_compatible
from clipper_nomad.managers.docker import definitions, labels
from clipper_nomad.managers.docker.containers import Container
from clipper_nomad.managers.docker.definitions import Definition
from clipper_nomad.managers.docker.engine import Engine
from clipper_nomad.managers.docker.labels import ClusterRecord
from clipper_nomad.managers.docker.replicas import Replicas
from clipper_nomad.managers.forwarding import forwarded_settings
from clipper_nomad.managers.undo import Undo
from clipper_nomad.managers.waiting import wait_until
from clipper_nomad.types import ClusterSpec

_READY_TIMEOUT_S = 60.0
#: What no roll can change, by the manager's arguments.
_FIXED = {
    "docker_ip": "docker_ip_address",
    "network": "docker_network",
    "query_port": "clipper_query_port",
    "management_port": "clipper_management_port",
    "rpc_port": "clipper_rpc_port",
    "redis_ip": "redis_ip",
    "redis_port": "redis_port",
}
_LOG_LINES = 20
_REPLACED = ".replaced"


@dataclass(frozen=True)
class _Wanted:
    """The containers that a cluster should have: its frontends, and Redis unless that runs elsewhere."""

    redis: Definition | None
    management: Definition
    query: tuple[Definition, ...]


class Frontends:
    """The containers of one cluster, without the replicas."""

    def __init__(self, engine: Engine, cluster_name: str, images: ImageSettings, replicas: Replicas) -> None:
        self._engine = engine
        self._cluster_name = cluster_name
        self._images = images
        self._replicas = replicas

    def find(self) -> list[Container]:
        """Return all containers of the cluster, its replicas among them."""
        return self._engine.find({labels.CLUSTER: self._cluster_name})

    def read_record(self) -> ClusterRecord | None:
        """Return the cluster's record, None if there is no management frontend that carries it."""
        found = self._find_component(labels.MANAGEMENT_FRONTEND)
        return labels.read_record(found[0].labels) if found else None

    def _read_spec(self) -> ClusterSpec | None:
        """Return the settings of the query frontends that there are; None without any."""
        found = self._find_component(labels.QUERY_FRONTEND)
        return labels.read_spec(found[0].labels, len(found)) if found else None

    def query_addresses(self, record: ClusterRecord) -> list[str]:
        """Return the address of each query frontend, the first one first."""
        found = sorted(self._find_component(labels.QUERY_FRONTEND), key=_index)
        return [f"{record.docker_ip}:{each.published[definitions.QUERY_PORT]}" for each in found]

    def start(self, record: ClusterRecord, spec: ClusterSpec) -> None:
        """Bring the cluster into the wanted form, and return when its frontends are ready.

        Containers that have that form already are left alone. If this fails, all is as it was.
        """
        before = self.read_record()
        if before is not None:
            require_compatible(record, before, self._cluster_name, _FIXED)
        spec = spec.over(self._read_spec())
        existing = self._remove_interrupted(self.find())
        wanted = self._plan(record, spec, existing)
        with Undo() as undo:
            self._provide(record, undo)
            outdated = self._start_missing(wanted, existing, undo)
            self._replicas.bring_back(record.network, undo)
            current = [each for each in (wanted.management, *wanted.query) if each not in outdated]
            for definition in current:
                self._wait_ready(definition, record)
            for definition in outdated:
                self._replace(definition, existing[definition.name], record, undo)
            undo.forget()
        self._remove_surplus(wanted)

    def _plan(self, record: ClusterRecord, spec: ClusterSpec, existing: Mapping[str, Container]) -> _Wanted:
        """Find the images and ports. Raises ClipperException for an image that cannot be found."""
        name = self._cluster_name
        management_image = self._resolve(spec.management_frontend_image, "management-frontend")
        query_image = self._resolve(spec.query_frontend_image, "query-frontend")
        redis = None
        if record.redis_ip is None:
            redis = definitions.redis(name, record, self._resolve(None, "redis"))
        environment = forwarded_settings(has_own_redis=record.redis_ip is None)
        query_ports = _choose_query_ports(name, record, spec.num_query_frontends, existing)
        query = tuple(
            definitions.query_frontend(
                name, record, spec, query_image, environment, index=index, query_port=port
            )
            for index, port in enumerate(query_ports)
        )
        management = definitions.management_frontend(name, record, management_image, environment)
        return _Wanted(redis, management, query)

    def _resolve(self, chosen: str | None, component: str) -> str:
        return resolve_image(
            self._engine.client, chosen or component_image(component, self._images), self._images
        )

    def _provide(self, record: ClusterRecord, undo: Undo) -> None:
        """Make the network, and the volume of the cluster's own Redis, if they are missing."""
        if self._engine.provide_network(record.network, {labels.CLUSTER: self._cluster_name}):
            undo.add(lambda: self._engine.remove_network(record.network, labels.CLUSTER))
        volume = labels.join(self._cluster_name, labels.REDIS)
        if record.redis_ip is None and self._engine.provide_volume(
            volume, {labels.CLUSTER: self._cluster_name}
        ):
            undo.add(lambda: self._engine.remove_volume(volume))

    def _start_missing(
        self, wanted: _Wanted, existing: Mapping[str, Container], undo: Undo
    ) -> list[Definition]:
        """Create and start the containers that are missing or stopped; return the outdated frontends."""
        outdated = []
        for definition in filter(None, (wanted.redis, wanted.management, *wanted.query)):
            container = existing.get(definition.name)
            if container is None:
                self._create(definition, undo)
            elif definition is not wanted.redis and _digest(container) != definition.digest:
                outdated.append(definition)
            elif not container.is_running:
                self._engine.attach(container, definition.network)
                self._engine.start(definition, container.id)
        return outdated

    def _create(self, definition: Definition, undo: Undo) -> None:
        container_id = self._engine.create(definition)
        undo.add(lambda: self._engine.remove([container_id]))
        self._engine.start(definition, container_id)

    def _replace(
        self,
        definition: Definition,
        outdated: Container,
        record: ClusterRecord,
        undo: Undo,
    ) -> None:
        """Replace a frontend, which drains and is kept until the new one is ready."""
        self._engine.rename(outdated.id, f"{definition.name}{_REPLACED}")
        undo.add(lambda: self._engine.start_as_it_is(outdated))
        undo.add(lambda: self._engine.rename(outdated.id, definition.name))
        container_id = self._engine.create(definition)
        undo.add(lambda: self._engine.remove([container_id]))
        # Both publish the same port, so the old one must go first.
        self._engine.stop([outdated])
        self._engine.start(definition, container_id)
        self._wait_ready(definition, record)

    def _remove_interrupted(self, found: Iterable[Container]) -> dict[str, Container]:
        """Remove what an interrupted roll had replaced; return the rest by name."""
        by_name = {each.name: each for each in found}
        left = [each for name, each in by_name.items() if name.endswith(_REPLACED)]
        for each in left:
            del by_name[each.name]
        self._engine.stop([each for each in left if each.is_running])
        self._engine.remove([each.id for each in left])
        return by_name

    def _remove_surplus(self, wanted: _Wanted) -> None:
        """Drain and remove the frontends that are replaced or too many."""
        kept = {each.name for each in (wanted.management, *wanted.query)}
        found = [
            *self._find_component(labels.QUERY_FRONTEND),
            *self._find_component(labels.MANAGEMENT_FRONTEND),
        ]
        surplus = [each for each in found if each.name not in kept]
        self._engine.stop([each for each in surplus if each.is_running])
        self._engine.remove([each.id for each in surplus])

    def _find_component(self, component: str) -> list[Container]:
        found = self._engine.find({labels.CLUSTER: self._cluster_name, labels.COMPONENT: component})
        return [each for each in found if not each.name.endswith(_REPLACED)] or found

    def _wait_ready(self, definition: Definition, record: ClusterRecord) -> None:
        """Wait for a frontend. Raises ContainerManagerError if it or Redis keeps ending, or if it is late."""
        port = definition.published[0].host_port
        watched = {definition.name, labels.join(self._cluster_name, labels.REDIS)}
        reason = wait_until(
            lambda: health.unready_reason(record.docker_ip, port),
            lambda: self._require_alive(watched),
            _READY_TIMEOUT_S,
        )
        if reason:
            raise ContainerManagerError(
                f"The container {definition.name} was not ready within {_READY_TIMEOUT_S:g} s: {reason}. "
                f"{self._describe_log(definition.name)}"
            )

    def _require_alive(self, names: set[str]) -> None:
        for container in self.find():
            # One that happens to run will end again, and only then shows how.
            if (
                container.name in names
                and not container.is_running
                and container.keeps_failing(self._engine.now)
            ):
                what = f"The container {container.name}"
                log = self._engine.logs(container, _LOG_LINES)
                raise ContainerManagerError(
                    messages.describe_failing(what, container.restart_count, container.describe_end(), log)
                )

    def _describe_log(self, name: str) -> str:
        found = [each for each in self.find() if each.name == name]
        return messages.describe_log(self._engine.logs(found[0], _LOG_LINES) if found else "")


def _index(container: Container) -> int:
    return int(container.labels[labels.INDEX])


def _digest(container: Container) -> str | None:
    return container.labels.get(labels.DEFINITION_HASH)


def _choose_query_ports(
    cluster_name: str, record: ClusterRecord, count: int, existing: Mapping[str, Container]
) -> list[int]:
    """Return the query frontends' ports: the caller chose the first, the others keep those they have."""
    chosen = [record.query_port]
    for index in range(1, count):
        there = existing.get(labels.query_frontend_name(cluster_name, index))
        if there:
            chosen.append(there.published[definitions.QUERY_PORT])
        else:
            avoided = {*chosen, record.management_port, record.rpc_port}
            # On another machine this check means nothing; its engine refuses a port that is taken.
            chosen += ports.choose_free("127.0.0.1", 1, avoided)
    return chosen

"""The replicas of a cluster's models: started, counted, watched and drained.

Their containers' labels are the only record of what is deployed: a version is deployed while it has a
container, and a stopped container still counts as wanted.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Collection
from dataclasses import replace

import docker.errors

from clipper_nomad.errors import ContainerManagerError, DeploymentError
from clipper_nomad.images import ImageSettings, resolve_image
from clipper_nomad.managers import messages
from clipper_nomad.managers.dns_names import require_model_names
from clipper_nomad.managers.docker import definitions, labels
from clipper_nomad.managers.docker.containers import Container
from clipper_nomad.managers.docker.engine import Engine, is_name_taken
from clipper_nomad.managers.docker.labels import ClusterRecord, ModelRecord
from clipper_nomad.managers.undo import Undo
from clipper_nomad.types import DeploySpec, ModelVersion

_LOG_LINES = 20
_SEARCHED_LINES = 1000


class Replicas:
    """The replicas of one cluster."""

    def __init__(self, engine: Engine, cluster_name: str, images: ImageSettings) -> None:
        self._engine = engine
        self._cluster_name = cluster_name
        self._images = images

    def count(self) -> dict[ModelVersion, int]:
        """Return how many replicas are wanted of each deployed version."""
        counts: dict[ModelVersion, int] = {}
        for container in self._find():
            model = _model_of(container)
            counts[model] = counts.get(model, 0) + _is_replica(container)
        return counts

    def deploy(self, record: ClusterRecord, spec: DeploySpec) -> None:
        """Start the replicas of a version that is not deployed."""
        require_model_names(spec.model)
        definitions.count_gpus(spec.devices)
        if self._find(spec.model):
            raise messages.already_deployed(spec.model)
        model = ModelRecord(
            spec.model,
            spec.input_type,
            spec.image,
            resolve_image(self._engine.client, spec.image, self._images),
            self._rpc_addresses(),
            spec.resources,
            spec.devices,
            spec.environment,
        )
        try:
            self._add(record, model, range(spec.num_replicas))
        except ContainerManagerError as error:
            if is_name_taken(error):
                raise messages.already_deployed(spec.model) from error
            raise

    def scale(self, record: ClusterRecord, model: ModelVersion, num_replicas: int) -> None:
        """Start replicas, or drain those of the highest numbers, until there are `num_replicas`."""
        found = self._find(model)
        if not found:
            raise messages.not_deployed(model)
        by_index = {int(each.labels[labels.INDEX]): each for each in found if _is_replica(each)}
        kept = sorted(by_index)[:num_replicas]
        free = (index for index in range(num_replicas) if index not in kept)
        new = [next(free) for _ in range(num_replicas - len(kept))]
        if new or not kept:
            renewed = self._renew(labels.read_model(found[0].labels))
            # With no replicas, an existing placeholder is enough.
            if new or not any(not _is_replica(each) for each in found):
                self._add(record, renewed, new)
        gone = [each for index, each in by_index.items() if index not in kept]
        if num_replicas:
            gone += [each for each in found if not _is_replica(each)]
        self._end(gone)

    def stop(self, models: Collection[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions."""
        self._end([each for each in self._find() if _model_of(each) in models])

    def bring_back(self, network: str, undo: Undo) -> None:
        """Start the stopped replicas; `undo` stops them again."""
        stopped = [
            each for each in self._find() if _is_replica(each) and each.status in ("exited", "created")
        ]
        for container in stopped:
            undo.add(functools.partial(self._engine.stop, [container]))
            self._engine.attach(container, network)
            self._engine.start_as_it_is(container)

    def check(self, model: ModelVersion) -> None:
        """Raise DeploymentError if a replica ended at its start, or more than once, and is not well."""
        for container in self._find(model):
            if _is_replica(container) and _keeps_failing(container, self._engine.now):
                what = messages.replica_of(model, container.labels[labels.INDEX])
                log = self._engine.logs(container, _LOG_LINES)
                raise DeploymentError(
                    messages.describe_failing(what, container.restart_count, container.describe_end(), log)
                )

    def last_ends(self) -> dict[ModelVersion, str]:
        """Return how a replica of each version ended last without being asked to."""
        ended = [each for each in self._find() if _is_replica(each) and each.has_ended()]
        return {_model_of(each): self._describe_end(each) for each in ended}

    def _describe_end(self, container: Container) -> str:
        # The engine forgets how a container ended when it starts it again; the container's log does not.
        log = self._engine.logs(container, _SEARCHED_LINES) if container.is_running else ""
        return messages.find_end(log) or container.describe_end()

    def tail_logs(self, model: ModelVersion, lines: int) -> str:
        """Return the last lines of each replica's log, with a heading for each if there are several."""
        replicas = [each for each in self._find(model) if _is_replica(each)]
        return messages.join_logs(
            {each.labels[labels.INDEX]: self._engine.logs(each, lines) for each in replicas}
        )

    def _add(self, record: ClusterRecord, model: ModelRecord, indices: Collection[int]) -> None:
        """Create and start replicas, or a placeholder for none; if one fails, all are removed."""
        wanted = [definitions.replica(self._cluster_name, record, model, index) for index in indices]
        placeholder = [] if wanted else [definitions.placeholder(self._cluster_name, record, model)]
        # By name and before it is made: an interrupt can come before the engine's answer with the id.
        made: list[str] = []
        ids = []
        try:
            for definition in (*placeholder, *wanted):
                made.append(definition.name)
                ids.append(self._engine.create(definition))
            for definition, container_id in zip(wanted, ids, strict=False):
                self._engine.start(definition, container_id)
        except BaseException as error:
            # A container whose name was taken is another call's.
            is_another = isinstance(error, ContainerManagerError) and is_name_taken(error)
            self._engine.remove(made[:-1] if is_another else made)
            raise

    def _renew(self, model: ModelRecord) -> ModelRecord:
        """Return the record for further replicas: of the same image as the others, if it still exists."""
        image_id = model.image_id
        try:
            self._engine.client.images.get(image_id)
        except docker.errors.ImageNotFound:
            image_id = resolve_image(self._engine.client, model.image, self._images)
        return replace(model, image_id=image_id, rpc_addresses=self._rpc_addresses())

    def _rpc_addresses(self) -> tuple[str, ...]:
        frontends = self._engine.find(
            {labels.CLUSTER: self._cluster_name, labels.COMPONENT: labels.QUERY_FRONTEND}
        )
        indices = sorted({int(each.labels[labels.INDEX]) for each in frontends})
        return tuple(definitions.rpc_address(self._cluster_name, index) for index in indices)

    def _find(self, model: ModelVersion | None = None) -> list[Container]:
        """Return the replicas and placeholders of a version, or of all."""
        wanted = {labels.CLUSTER: self._cluster_name}
        if model is not None:
            wanted |= {labels.MODEL_NAME: model.name, labels.MODEL_VERSION: model.version}
        found = [each for each in self._engine.find(wanted) if labels.MODEL_NAME in each.labels]
        return sorted(found, key=lambda each: (_model_of(each).name, int(each.labels.get(labels.INDEX, -1))))

    def _end(self, found: Collection[Container]) -> None:
        self._engine.stop([each for each in found if _is_replica(each)])
        self._engine.remove([each.id for each in found])


def _keeps_failing(container: Container, ask_now: Callable[[], datetime.datetime]) -> bool:
    """Return whether a replica keeps failing: not one that was stopped, which alone the engine leaves ended.

    A replica that was asked to stop has exit status 0.
    """
    was_stopped = container.status == "exited" and container.exit_code == 0
    return not was_stopped and container.keeps_failing(ask_now)


def _is_replica(container: Container) -> bool:
    return container.labels.get(labels.COMPONENT) == labels.REPLICA


def _model_of(container: Container) -> ModelVersion:
    return ModelVersion(container.labels[labels.MODEL_NAME], container.labels[labels.MODEL_VERSION])

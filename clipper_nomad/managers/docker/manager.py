"""DockerContainerManager: a cluster as containers on one Docker engine.

All that lasts is in the engine: containers with their labels, and Redis' volume.
"""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from clipper_nomad.errors import ClipperWarning, ContainerManagerError
from clipper_nomad.images import ImageSettings, build_model_image, project_version, prune_model_images
from clipper_nomad.managers import messages
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.connection_state import ConnectionState
from clipper_nomad.managers.dns_names import require_dns_name
from clipper_nomad.managers.docker import labels
from clipper_nomad.managers.docker.engine import Engine
from clipper_nomad.managers.docker.frontends import Frontends
from clipper_nomad.managers.docker.labels import ClusterRecord
from clipper_nomad.managers.docker.replicas import Replicas
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion, UnusedImage

_DEFAULT_FLUENTD_PORT = 24224
_DEFAULT_PROMETHEUS_PORT = 9090


class DockerContainerManager(ContainerManager):
    """Runs a cluster as containers on the engine of DOCKER_HOST, by default this machine's.

    Frontends publish their ports on `docker_ip_address`, the address of the engine's machine: the first query
    frontend has `clipper_query_port`, and each further one a port of its own (query_addresses() has all).
    Containers find each other by name on `docker_network`, which is made if it is missing; several clusters
    may share it. Redis keeps the cluster's state in the volume `clipper.<cluster_name>.redis`, and
    publishes no port. With `redis_ip` (and `redis_port`) a Redis that runs elsewhere is used, whose content
    stays when the cluster ends; its credentials come from CLIPPER_REDIS_USERNAME, CLIPPER_REDIS_PASSWORD and
    so on. `extra_container_kwargs` go to each container, as docker's package takes them.

    `images` are the settings of images and registries, by default those of CLIPPER_REGISTRY,
    CLIPPER_BASE_IMAGE and so on. A `Device("nvidia/gpu", n)` gives each replica the engine's first n GPUs:
    Docker does not divide GPUs among containers. Logs are Docker's own, and each process has its own metrics,
    so `use_centralized_log`, `fluentd_port` and `prometheus_port` mean nothing here.
    """

    def __init__(
        self,
        cluster_name: str = "default-cluster",
        docker_ip_address: str = "localhost",
        use_centralized_log: bool = False,
        fluentd_port: int = _DEFAULT_FLUENTD_PORT,
        clipper_query_port: int = 1337,
        clipper_management_port: int = 1338,
        clipper_rpc_port: int = 7000,
        redis_ip: str | None = None,
        redis_port: int = 6379,
        prometheus_port: int = _DEFAULT_PROMETHEUS_PORT,
        docker_network: str = "clipper_network",
        extra_container_kwargs: Mapping[str, Any] | None = None,
        *,
        images: ImageSettings | None = None,
    ) -> None:
        _warn_meaningless(
            use_centralized_log=use_centralized_log,
            fluentd_port=fluentd_port != _DEFAULT_FLUENTD_PORT,
            prometheus_port=prometheus_port != _DEFAULT_PROMETHEUS_PORT,
        )
        self.cluster_name = require_dns_name(cluster_name, "cluster name")
        self._images = images or ImageSettings.from_environment()
        self._wanted = ClusterRecord(
            version=project_version(),
            docker_ip=docker_ip_address,
            network=docker_network,
            query_port=clipper_query_port,
            management_port=clipper_management_port,
            rpc_port=clipper_rpc_port,
            redis_ip=_require_reachable(redis_ip),
            redis_port=redis_port,
        )
        self._engine = Engine(extra_container_kwargs or {})
        self._replicas = Replicas(self._engine, cluster_name, self._images)
        self._frontends = Frontends(self._engine, cluster_name, self._images, self._replicas)
        self._connection = ConnectionState(self.cluster_name, self._frontends.read_record)

    @classmethod
    def from_cli(cls, options: ClusterOptions) -> Self:
        """Return the manager of the cluster that the command line's options describe.

        All state is in the engine, so `state_dir` means nothing here.
        """
        options = options.settle_ports()
        return cls(
            options.cluster_name,
            # A name, so that addresses read alike wherever the engine's ports are on this machine.
            "localhost" if options.host == "127.0.0.1" else options.host,
            clipper_query_port=options.query_port,
            clipper_management_port=options.management_port,
            clipper_rpc_port=options.rpc_port,
            redis_ip=options.redis_ip,
            redis_port=options.redis_port,
        )

    def start_clipper(self, spec: ClusterSpec) -> None:
        """Start the cluster's containers, or those that differ, and return when the frontends are ready.

        The roll of a single query frontend interrupts its port for about a second; run two to avoid this.
        """
        self._frontends.start(self._wanted, spec)
        self._connection.is_connected = True

    def connect(self) -> None:
        """Attach to the cluster of this name on the engine, as it was started."""
        found = self._frontends.find()
        frontends = [each for each in found if each.labels[labels.COMPONENT] == labels.MANAGEMENT_FRONTEND]
        if any(each.status in ("running", "restarting") for each in frontends):
            self._connection.is_connected = True
        elif found or self._engine.has_volume(self._volume):
            raise messages.not_running(self.cluster_name)
        else:
            raise messages.not_found(self.cluster_name, "on this Docker engine")

    def get_query_address(self) -> str:
        """Return the first query frontend's `host:port`."""
        record = self._connection.record()
        return f"{record.docker_ip}:{record.query_port}"

    def query_addresses(self) -> list[str]:
        """Return the `host:port` of each query frontend, the first one first."""
        return self._frontends.query_addresses(self._connection.record())

    def get_management_address(self) -> str:
        """Return the management frontend's `host:port`."""
        record = self._connection.record()
        return f"{record.docker_ip}:{record.management_port}"

    def get_metric_address(self) -> str:
        """Return the first query frontend's `host:port`, which answers /metrics too."""
        return self.get_query_address()

    def build(self, spec: BuildSpec) -> str:
        """Build the version's image, push it if a registry is set, and return its digest or id."""
        return build_model_image(self._engine.client, spec, self.cluster_name, self._images)

    def deploy(self, spec: DeploySpec) -> None:
        """Start the replicas of a version that is not deployed; `spec.image` may be any image's name."""
        self._replicas.deploy(self._connection.record(), spec)

    def check_replicas(self, model: ModelVersion) -> None:
        """Raise DeploymentError, with the last log lines, if a replica keeps failing."""
        self._connection.record()
        self._replicas.check(model)

    def get_num_replicas(self, model: ModelVersion) -> int:
        """Return how many replicas are wanted; 0 for a version that is not deployed."""
        return self.get_replicas().get(model, 0)

    def get_replicas(self) -> Mapping[ModelVersion, int]:
        """Return how many replicas are wanted of each deployed version."""
        self._connection.record()
        return self._replicas.count()

    def get_last_ends(self) -> Mapping[ModelVersion, str]:
        """Return how a replica of each version ended last without being asked to."""
        self._connection.record()
        return self._replicas.last_ends()

    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        """Start replicas without waiting for them, or drain those of the highest numbers."""
        self._replicas.scale(self._connection.record(), model, num_replicas)

    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions; versions that are not deployed are skipped."""
        self._connection.record()
        self._replicas.stop(set(models))

    def prune_images(self, used: Collection[str], *, dry_run: bool) -> list[UnusedImage]:
        """Remove the engine's images that were built for this cluster, are not in `used`, and are not run."""
        self._connection.record()
        return prune_model_images(self._engine.client, self.cluster_name, used, dry_run=dry_run)

    def get_logs(self, logging_dir: Path) -> list[Path]:
        """Write the log of each container to `<logging_dir>/<cluster>-<component …>.log`."""
        self._connection.record()
        logging_dir.mkdir(parents=True, exist_ok=True)
        paths = []
        for container in self._frontends.find():
            rest = container.name.removeprefix(labels.join(self.cluster_name, ""))
            path = logging_dir / f"{self.cluster_name}-{rest}.log"
            self._engine.write_log(container, path)
            paths.append(path)
        return paths

    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        """Return the last lines of each replica's log; empty if there is no replica."""
        self._connection.record()
        return self._replicas.tail_logs(model, lines)

    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        """End all containers: frontends, then models, then Redis, and with them the network.

        With `keep_state` Redis' volume stays, and so do the replicas' containers, stopped.
        """
        self._connection.require()
        self._end(graceful=graceful, keep_state=keep_state)
        self._connection.is_connected = False

    def remove_leftovers(self) -> bool:
        """Remove all that is left of a cluster, its state too, whether it runs or not.

        Returns whether anything was left.
        """
        if not self._frontends.find() and not self._engine.has_volume(self._volume):
            return False
        self._end(graceful=True, keep_state=False)
        self._connection.is_connected = False
        return True

    @property
    def _volume(self) -> str:
        return labels.join(self.cluster_name, labels.REDIS)

    def _end(self, *, graceful: bool, keep_state: bool) -> None:
        found = self._frontends.find()
        networks = {name for each in found for name in each.networks} | {self._wanted.network}
        models = [each for each in found if labels.MODEL_NAME in each.labels]
        redis = [each for each in found if each.labels[labels.COMPONENT] == labels.REDIS]
        frontends = [each for each in found if each not in models and each not in redis]
        if graceful:
            self._engine.stop(frontends)
            self._engine.stop([each for each in models if each.status != "created"])
        elif keep_state:
            self._engine.kill(models)
        if graceful or keep_state:
            self._engine.remove([each.id for each in frontends])
            # Redis writes all it has to disk when it is asked to end.
            self._engine.stop(redis)
        if keep_state:
            self._engine.remove([each.id for each in redis])
            return
        self._engine.remove([each.id for each in found])
        for network in networks:
            self._engine.remove_network(network, labels.CLUSTER)
        self._engine.remove_volume(self._volume)


def _require_reachable(redis_ip: str | None) -> str | None:
    """Return `redis_ip`. Raises ContainerManagerError for an address that means each container itself."""
    is_loopback = redis_ip == "localhost"
    if redis_ip and not is_loopback:
        try:
            is_loopback = ipaddress.ip_address(redis_ip).is_loopback
        except ValueError:
            is_loopback = False
    if is_loopback:
        raise ContainerManagerError(
            f"redis_ip is {redis_ip!r}, which means each container itself: give an address at which "
            "containers reach that Redis, such as this machine's address on a network"
        )
    return redis_ip


def _warn_meaningless(**given: bool) -> None:
    for name, is_given in given.items():
        if is_given:
            warnings.warn(
                f"{name} is ignored: logs are Docker's own, and each process has its own /metrics",
                ClipperWarning,
                stacklevel=3,
            )

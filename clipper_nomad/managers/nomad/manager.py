"""NomadContainerManager: a cluster as jobs on Nomad, found through Consul, behind a load balancer.

Implements the managers' contract by handing each call to the responsible part. All lasting state is in Nomad:
jobs with their meta, and Redis' volume.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from clipper_container.addresses import HostPort
from clipper_nomad.errors import ClipperWarning, ContainerManagerError
from clipper_nomad.jobspecs import AnyJob, Location, Service, render_all, service_name
from clipper_nomad.managers import messages
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.connection_state import ConnectionState
from clipper_nomad.managers.dns_names import require_dns_name, require_model_names
from clipper_nomad.managers.nomad.api.jobs import Jobs
from clipper_nomad.managers.nomad.api.logs import Logs
from clipper_nomad.managers.nomad.api.namespaces import provide_namespace
from clipper_nomad.managers.nomad.api.volumes import Volumes
from clipper_nomad.managers.nomad.clients.access import ConsulAccess, NomadAccess
from clipper_nomad.managers.nomad.clients.consul import ConsulCatalog
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.cluster_jobs import ClusterJobs, component_name
from clipper_nomad.managers.nomad.cluster.definitions import Definitions
from clipper_nomad.managers.nomad.cluster.fabio_routes import FabioRoutes
from clipper_nomad.managers.nomad.cluster.frontends import Frontends
from clipper_nomad.managers.nomad.cluster.placement_watch import PlacementWatch
from clipper_nomad.managers.nomad.cluster.records import ClusterRecord
from clipper_nomad.managers.nomad.cluster.redis_state import RedisState
from clipper_nomad.managers.nomad.cluster.replicas import Replicas
from clipper_nomad.managers.nomad.cluster.shutdown import Shutdown
from clipper_nomad.managers.nomad.cluster.task_sources import TaskSources
from clipper_nomad.managers.nomad.dns import DNS, ConsulDNS
from clipper_nomad.managers.nomad.environment import read_environment
from clipper_nomad.managers.nomad.load_balancer import LoadBalancer, NoLoadBalancer
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.managers.waiting import wait_until
from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion, UnusedImage

# `clipper-<cluster>-management` is a DNS label, of 63 characters at most.
_MAX_CLUSTER_NAME_LENGTH = 44
# A frontend that Nomad moves is back within seconds.
_LOOKUP_TIMEOUT_S = 15.0


class NomadContainerManager(ContainerManager):
    """Runs a cluster as jobs on Nomad: Redis, query frontends, management frontend, and one job per version.

    `nomad_ip` (a host, `host:port` or a URL) is any agent of Nomad; it wins over the host of NOMAD_ADDR, and
    everything else in NOMAD_* and CONSUL_* (port, token, TLS, namespace, region) means what it does for
    HashiCorp's own tools.
    `dns` finds services, by default in Consul, whose HTTP API is looked for at `nomad_ip` too.
    `load_balancer` is between the cluster and applications and model containers: FabioLoadBalancer(...), by
    default none.

    Jobs may run in `datacenters`, by default all. With `redis_ip` (and `redis_port`) an
    external Redis is used, whose content stays when the cluster ends. With
    `create_namespace_if_not_exists` start_clipper() makes the namespace if it is missing; it stays when the
    cluster ends. Everything else is in `settings`.
    """

    def __init__(
        self,
        nomad_ip: str | None = None,
        dns: DNS | None = None,
        load_balancer: LoadBalancer | None = None,
        cluster_name: str = "default-cluster",
        datacenters: Iterable[str] | None = None,
        redis_ip: str | None = None,
        redis_port: int = 6379,
        namespace: str | None = None,
        create_namespace_if_not_exists: bool = False,
        *,
        settings: NomadSettings | None = None,
    ) -> None:
        self.cluster_name = require_dns_name(cluster_name, "cluster name", _MAX_CLUSTER_NAME_LENGTH)
        self._settings = settings or NomadSettings()
        access = NomadAccess.from_environment(nomad_ip, namespace=namespace, region=self._settings.region)
        self._location = Location(
            tuple([datacenters] if isinstance(datacenters, str) else datacenters or ("*",)),
            access.namespace,
            access.region,
        )
        found = dns or ConsulDNS()
        self._dns: DNS = found.near(access.host) if isinstance(found, ConsulDNS) else found
        self._load_balancer = load_balancer or NoLoadBalancer()
        self._wanted = records.make_cluster(
            cluster_name, self._settings, self._dns, self._load_balancer, redis_ip, redis_port
        )

        api = self._api = NomadAPI(access)
        self._makes_namespace = create_namespace_if_not_exists
        self._cluster_jobs = ClusterJobs(Jobs(api), cluster_name)
        self._logs = Logs(api)
        catalog = (
            self._dns.catalog
            if isinstance(self._dns, ConsulDNS)
            else ConsulCatalog(ConsulAccess.from_environment(access.host))
        )
        self._fabio_routes = FabioRoutes(cluster_name, self._load_balancer, self._cluster_jobs, catalog)
        watch = PlacementWatch(self._cluster_jobs.jobs, self._logs, catalog)
        self._task_sources = TaskSources(cluster_name, self._settings)
        self._redis_state = RedisState(self._cluster_jobs, self._settings, Volumes(api), self._dns)
        self._replicas = Replicas(self._cluster_jobs, watch, self._logs, cluster_name, self._settings)
        self._frontends = Frontends(self._cluster_jobs, watch, self._dns, self._redis_state, self._settings)
        self._shutdown = Shutdown(self._cluster_jobs, self._redis_state, self._replicas.stop_timeout_s)
        self._connection = ConnectionState(self.cluster_name, self._cluster_jobs.read_record)

    @classmethod
    def from_env(cls, cluster_name: str = "default-cluster", **arguments: Any) -> Self:
        """Return a manager by NOMAD_*, CONSUL_* and CLIPPER_*; arguments win over them."""
        return cls(cluster_name=cluster_name, **{**read_environment(os.environ), **arguments})

    @classmethod
    def from_cli(cls, options: ClusterOptions) -> Self:
        """Return from_env()'s manager. Raises ContainerManagerError for addresses: Nomad gives them out."""
        if not options.has_default_addresses:
            raise ContainerManagerError(
                "Nomad gives out addresses and ports by itself: leave --host, --query-port, "
                "--management-port and --rpc-port alone. Fabio's are CLIPPER_FABIO_ADDRESS, "
                "CLIPPER_FABIO_HTTP_PORT and CLIPPER_FABIO_TCP_PORT."
            )
        redis: dict[str, Any] = {}
        if options.redis_ip:
            redis = {"redis_ip": options.redis_ip, "redis_port": options.redis_port}
        return cls.from_env(options.cluster_name, **redis)

    def start_clipper(self, spec: ClusterSpec) -> None:
        """Submit the cluster's jobs that differ, and return when the frontends are ready."""
        if self._wanted.redis_ip is None and records.kept_in(self._settings) is None:
            warnings.warn(
                "What the cluster's Redis holds (applications, models, links) ends with Redis' job: set "
                "redis_volume in NomadSettings to keep it, or redis_ip to a Redis elsewhere",
                ClipperWarning,
                stacklevel=3,
            )
        # Raises, before anything is submitted, if services cannot be looked up.
        self._dns.lookup(service_name(self.cluster_name, "query"))
        self._fabio_routes.refuse_taken(self._wanted.rpc_address)
        if self._makes_namespace:
            provide_namespace(self._api, self._location.namespace)
        spec = spec.over(self._cluster_jobs.read_spec())
        self._frontends.start(
            self._definitions(self._wanted), spec, lambda: self._task_sources.of_components(spec)
        )
        self._connection.is_connected = True

    def connect(self) -> None:
        """Connect to the cluster of this name, as it was started."""
        if self._cluster_jobs.read_record() is not None:
            self._connection.is_connected = True
        elif self._cluster_jobs.find():
            raise messages.not_running(self.cluster_name)
        else:
            place = f"in Nomad's namespace {self._location.namespace!r}"
            raise messages.not_found(self.cluster_name, place, "cluster_name and namespace")

    def get_query_address(self) -> str:
        """Return the load balancer's `host:port/path`, without one the address of a query frontend."""
        return self._connection.record().query_address or str(self._find("query")[0])

    def get_management_address(self) -> str:
        """Return the management frontend's address now."""
        return self._connection.record().management_address or str(self._find("management")[0])

    def get_metric_address(self) -> str:
        """Return the address of the first query frontend itself, which answers /metrics too."""
        self._connection.record()
        return str(self._find("query")[0])

    def build(self, spec: BuildSpec) -> str:
        """Build the version's image, pushed if a registry is set, or its archive; return its name or URL."""
        return self._task_sources.build(spec)

    def deploy(self, spec: DeploySpec) -> None:
        """Register a version's job, and return when its replicas have nodes; any image may be given."""
        definitions = self._definitions(self._connection.record())
        require_model_names(spec.model)
        self._replicas.deploy(definitions, spec, self._task_sources.of_model(spec.image))

    def check_replicas(self, model: ModelVersion) -> None:
        """Raise DeploymentError, with the last log lines, if a replica keeps failing."""
        self._connection.require()
        self._replicas.check(model)

    def get_num_replicas(self, model: ModelVersion) -> int:
        """Return the number of replicas wanted; 0 for a version that is not deployed."""
        self._connection.record()
        return self._replicas.count_of(model)

    def get_replicas(self) -> Mapping[ModelVersion, int]:
        """Return the number of replicas wanted of each deployed version."""
        self._connection.record()
        return self._replicas.count()

    def get_last_ends(self) -> Mapping[ModelVersion, str]:
        """Return how a replica of each version ended last without being asked to."""
        self._connection.record()
        return self._replicas.last_ends()

    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        """Start replicas without waiting until they are ready, or drain some.

        If there is no room for all, as many run as fit, and ContainerManagerError says what is missing.
        """
        self._connection.record()
        self._replicas.scale(model, num_replicas)

    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions; unknown versions are ignored."""
        self._connection.record()
        self._replicas.stop(set(models))

    def prune_images(self, used: Collection[str], *, dry_run: bool) -> list[UnusedImage]:
        """Remove this machine's images of versions that are not used; those in a registry stay."""
        self._connection.record()
        return self._task_sources.prune({*used, *self._cluster_jobs.model_images()}, dry_run=dry_run)

    def get_logs(self, logging_dir: Path) -> list[Path]:
        """Write the log of each allocation to `<logging_dir>/<cluster>-<component …>.log`.

        Ended allocations, as long as Nomad has them, have their id in the name.
        """
        self._connection.record()
        logging_dir.mkdir(parents=True, exist_ok=True)
        paths = []
        for job in self._cluster_jobs.find():
            for allocation in self._cluster_jobs.jobs.allocations(job.id):
                suffix = "" if allocation.is_wanted else f".{allocation.id[:8]}"
                component = component_name(job, allocation)
                path = logging_dir / f"{self.cluster_name}-{component}{suffix}.log"
                self._logs.write(allocation, path)
                paths.append(path)
        return paths

    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        """Return the last lines of each replica's log; empty if there is none."""
        self._connection.record()
        return self._replicas.tail_logs(model, lines)

    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        """End all jobs: frontends, then models, then Redis, and the volume that was made for it.

        With `keep_state` the volume stays, and models' and Redis' jobs stay registered with a count of 0.
        Raises ContainerManagerError, and ends nothing, if Redis has no volume that could keep its data.
        """
        record = self._connection.record()
        if keep_state and record.redis_ip is None and self._redis_state.find() is None:
            raise ContainerManagerError(
                f"Cannot keep the state of cluster {self.cluster_name!r}: its Redis has no volume. Start a "
                "cluster with redis_volume in NomadSettings, or with redis_ip, to be able to; or stop "
                "without keep_state."
            )
        self._shutdown.run(graceful=graceful, keep_state=keep_state)
        self._connection.is_connected = False

    def remove_leftovers(self) -> bool:
        """Remove everything of a cluster, including its state, running or not, connected or not.

        Returns whether there was anything. Nothing is drained.
        """
        if not self._cluster_jobs.find_all() and not self._redis_state.has_volume():
            return False
        self._shutdown.run(graceful=False, keep_state=False)
        self._connection.is_connected = False
        return True

    def render(self, spec: ClusterSpec, models: Iterable[DeploySpec] = ()) -> dict[str, str]:
        """Return the jobspecs that would be submitted, by file name. Registers nothing."""
        definitions = self._definitions(self._wanted)
        spec = spec.over(None)
        images = self._task_sources.of_components(spec)
        jobs: list[AnyJob] = [
            definitions.management_frontend(images),
            definitions.query_frontend(images, spec),
            *(definitions.model(each, self._task_sources.of_model(each.image)) for each in models),
        ]
        if self._wanted.redis_ip is None:
            jobs.insert(0, definitions.redis(images, self._redis_state.mount))
        return render_all(jobs)

    def _definitions(self, record: ClusterRecord) -> Definitions:
        return Definitions(
            self.cluster_name,
            record,
            self._settings,
            self._dns,
            self._load_balancer,
            self._location,
        )

    def _find(self, service: Service) -> list[HostPort]:
        """Return the addresses of a service's passing instances, once there is one."""
        name = service_name(self.cluster_name, service)
        found: list[HostPort] = []

        def look() -> str:
            found[:] = self._dns.lookup(name)
            return "" if found else f"no instance of {name} passes its checks in Consul"

        if missing := wait_until(look, lambda: None, _LOOKUP_TIMEOUT_S):
            raise ContainerManagerError(
                f"Could not find the {service} service of cluster {self.cluster_name!r}: {missing}. "
                "See the job's allocations in Nomad."
            )
        return found

"""What a Nomad cluster is run with, beyond its addresses: one frozen record.

Owns the settings' names, defaults and checks. Asks nobody anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import Affinity, Constraint, HostVolume, Spread, TaskResources, Timings
from clipper_nomad.managers.nomad.drivers import DockerDriver, Driver

# What a task gets where nobody says more. They are small: Nomad reserves them, and lets CPU be exceeded.
_REDIS = TaskResources(cpu_mhz=200, memory_mib=256)
_QUERY_FRONTEND = TaskResources(cpu_mhz=500, memory_mib=384)
_MANAGEMENT_FRONTEND = TaskResources(cpu_mhz=100, memory_mib=128)
_MODEL = TaskResources(cpu_mhz=500, memory_mib=512)


@dataclass(frozen=True)
class DynamicVolume:
    """A host volume that Nomad makes on a node for Redis, and that ends with the cluster's state.

    `plugin` makes it (Nomad brings `mkdir`); `parameters` and `constraints` are the plugin's and the node's.
    Needs Nomad 1.10.
    """

    plugin: str = "mkdir"
    constraints: tuple[Constraint, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NomadSettings:
    """How jobs are run on Nomad. Times are in seconds, memory in MiB, CPU in MHz.

    `driver` runs the tasks: DockerDriver(), or ExecDriver() and RawExecDriver() on nodes where this project
    is installed; a model is an archive then, written to `artifact_dir` and fetched by the nodes from
    `artifact_url`, which serves that folder over HTTP. `images` says where images come from and go to.

    `constraints`, `affinities` and `spreads` hold for all jobs, `model_constraints` and so on for models
    besides; without any spread, frontends and replicas are spread over nodes.
    `redis_volume` keeps Redis' data: a HostVolume that the nodes' configuration names, or a DynamicVolume;
    without one the data ends with Redis' job. `redis_password` is that of the cluster's own Redis or of the
    one at `redis_ip`.

    `placement_timeout_s` is how long a job may wait for a place before that is an error, `start_timeout_s`
    how long the frontends may take to be ready. With `rpc_proxy_only`, models reach query frontends
    through the load balancer alone. `cpu_mhz_per_core` turns Resources.cpu, in cores, into Nomad's MHz.
    """

    driver: Driver = field(default_factory=DockerDriver)
    images: ImageSettings = field(default_factory=ImageSettings.from_environment)
    region: str | None = None
    node_pool: str | None = None
    priority: int | None = None
    constraints: tuple[Constraint, ...] = ()
    affinities: tuple[Affinity, ...] = ()
    spreads: tuple[Spread, ...] = ()
    model_constraints: tuple[Constraint, ...] = ()
    model_affinities: tuple[Affinity, ...] = ()
    model_spreads: tuple[Spread, ...] = ()
    timings: Timings = field(default_factory=Timings)
    redis_volume: HostVolume | DynamicVolume | None = None
    redis_image: str | None = None
    redis_password: str | None = field(default=None, repr=False)
    redis_resources: TaskResources = _REDIS
    query_frontend_resources: TaskResources = _QUERY_FRONTEND
    management_frontend_resources: TaskResources = _MANAGEMENT_FRONTEND
    model_resources: TaskResources = _MODEL
    cpu_mhz_per_core: int = 1000
    environment: Mapping[str, str] = field(default_factory=dict)
    rpc_proxy_only: bool = False
    artifact_dir: Path | None = None
    artifact_url: str | None = None
    placement_timeout_s: float = 10.0
    start_timeout_s: float = 120.0

    def __post_init__(self) -> None:
        for name in ("cpu_mhz_per_core", "start_timeout_s"):
            if not getattr(self, name) > 0:
                raise ContainerManagerError(f"{name} is {getattr(self, name)!r}: use a number above 0")
        if self.placement_timeout_s < 0:
            raise ContainerManagerError(
                f"placement_timeout_s is {self.placement_timeout_s!r}: use 0 or more seconds"
            )

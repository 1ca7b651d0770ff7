"""The parameters of a cluster's four kinds of job as frozen dataclasses, and the rules among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, TypeAlias

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import meta
from clipper_nomad.jobspecs.driver import Driver
from clipper_nomad.types import Device, ModelVersion


@dataclass(frozen=True)
class Constraint:
    """A condition on a job's nodes. Nomad replaces `${...}` in `attribute`; some operators need no value."""

    attribute: str
    value: str = ""
    operator: str = "="


@dataclass(frozen=True)
class Affinity:
    """A preference for nodes, or with a negative weight (-100 to 100) against them."""

    attribute: str
    value: str
    operator: str = "="
    weight: int = 50


@dataclass(frozen=True)
class Spread:
    """A spread of a job's allocations over nodes: even, or by the percentages of values in `targets`."""

    attribute: str
    weight: int = 50
    targets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Location:
    """The part of Nomad that a job belongs to. A `region` of None is that of the agent that is asked."""

    datacenters: tuple[str, ...] = ("*",)
    namespace: str = "default"
    region: str | None = None


@dataclass(frozen=True)
class Scheduling:
    """The nodes that a job needs or prefers, and its importance. None is Nomad's own choice.

    Without `spreads`, query frontends and replicas are spread over nodes.
    """

    node_pool: str | None = None
    priority: int | None = None
    constraints: tuple[Constraint, ...] = ()
    affinities: tuple[Affinity, ...] = ()
    spreads: tuple[Spread, ...] = ()

    def with_more(self, more: Scheduling) -> Scheduling:
        """Return the scheduling of a job for which both hold.

        Constraints and affinities add up. Of the rest, the value of `more` wins if it has one.
        """
        given = {each.name: getattr(more, each.name) for each in fields(more)}
        wanted = {name: value for name, value in given.items() if value not in (None, ())}
        for name in ("constraints", "affinities"):
            wanted[name] = getattr(self, name) + given[name]
        return replace(self, **wanted)


@dataclass(frozen=True)
class TaskResources:
    """The resources of one task; it may use up to `memory_max_mib` if its node has memory to spare."""

    cpu_mhz: int
    memory_mib: int
    memory_max_mib: int | None = None
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True)
class Timings:
    """All waits, in whole seconds, of a start, a rollout and a stop.

    A task that ends is started again `restart_attempts` times within `restart_interval_s`; then its
    allocation is replaced, after `reschedule_delay_s`, twice as long each time up to
    `reschedule_max_delay_s`. One whose liveness fails `liveness_failures` times in a row is restarted, but
    not within its first `liveness_grace_s`.

    A new allocation must be ready for `min_healthy_s`, within `healthy_deadline_s`, or the rollout fails. For
    replicas `model_load_s` replaces that deadline and `liveness_grace_s`: set it above your slowest model's
    load time.

    A stop: the task leaves Consul, `shutdown_delay_s` passes for clients that still know the address, then it
    gets SIGTERM, has `drain_timeout_s` for its work, and is killed `kill_timeout_s` after SIGTERM. Nomad's
    clients limit the last to 30 s unless their `max_kill_timeout` is higher.
    """

    min_healthy_s: int = 1
    healthy_deadline_s: int = 300
    progress_deadline_s: int = 600
    check_interval_s: int = 1
    check_timeout_s: int = 2
    liveness_interval_s: int = 2
    liveness_timeout_s: int = 2
    liveness_failures: int = 5
    liveness_grace_s: int = 30
    model_load_s: int = 300
    restart_attempts: int = 3
    restart_interval_s: int = 300
    restart_delay_s: int = 2
    reschedule_delay_s: int = 5
    reschedule_max_delay_s: int = 300
    shutdown_delay_s: int = 3
    drain_timeout_s: int = 25
    kill_timeout_s: int = 30

    def __post_init__(self) -> None:
        for shorter, longer in (
            ("drain_timeout_s", "kill_timeout_s"),
            ("min_healthy_s", "healthy_deadline_s"),
            ("min_healthy_s", "model_load_s"),
            ("healthy_deadline_s", "progress_deadline_s"),
            ("model_load_s", "progress_deadline_s"),
            ("reschedule_delay_s", "reschedule_max_delay_s"),
        ):
            if getattr(self, shorter) >= getattr(self, longer):
                raise ContainerManagerError(
                    f"Cannot use these timings: {shorter} is {getattr(self, shorter)} and {longer} is "
                    f"{getattr(self, longer)}: the first must be below the second."
                )


@dataclass(frozen=True)
class HostVolume:
    """A host volume, static or dynamic, for Redis' data; user 10001 writes there with the docker driver.

    `is_sticky`: the first volume used is used again if there are several dynamic ones of that name.
    """

    source: str
    is_sticky: bool = False


@dataclass(frozen=True)
class Task:
    """The task of a job. `source` is in the driver's form, the values of `environment` are plain.

    A value of `environment` wins over the jobspec's own.
    """

    driver: Driver
    source: str
    resources: TaskResources
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """The parameters of every job. `meta` has keys beside those of the module `meta`."""

    component: ClassVar[str]

    cluster_name: str
    version: str
    task: Task
    count: int = 1
    location: Location = Location()
    scheduling: Scheduling = Scheduling()
    timings: Timings = field(default_factory=Timings)
    meta: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RedisJob(Job):
    """The cluster's own Redis.

    Without a volume, its data is in the allocation, and moves with it as long as the node lives. A `password`
    is in the job, for everybody who may read the job.
    """

    component: ClassVar[str] = meta.REDIS

    volume: HostVolume | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.count > 1:
            raise ContainerManagerError(
                f"Cannot run {self.count} of Redis: each would have a state of its own. Ask for 1, or "
                "use an external one with redis_ip and redis_port."
            )
        if self.volume and not self.task.driver.mounts_volumes:
            raise ContainerManagerError(
                f"Cannot give Redis the volume {self.volume.source!r}: the driver {self.task.driver.name} "
                "mounts no volumes. Use docker or exec, or no volume."
            )


@dataclass(frozen=True, kw_only=True)
class QueryFrontendJob(Job):
    """The query frontends, and the tags of their two Consul services."""

    component: ClassVar[str] = meta.QUERY_FRONTEND

    query_tags: tuple[str, ...] = ()
    rpc_tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ManagementFrontendJob(Job):
    """The management frontend, and the tags of its Consul service."""

    component: ClassVar[str] = meta.MANAGEMENT_FRONTEND

    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelJob(Job):
    """The `count` replicas of one version of a model."""

    component: ClassVar[str] = meta.MODEL

    model: ModelVersion
    input_type: str


AnyJob: TypeAlias = RedisJob | QueryFrontendJob | ManagementFrontendJob | ModelJob

"""The settings of a Nomad cluster beyond its addresses: one frozen record, its defaults and its checks."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import (
    Affinity,
    Constraint,
    HostVolume,
    Scheduling,
    Spread,
    TaskResources,
    Timings,
)
from clipper_nomad.managers.nomad.drivers import DockerDriver, Driver

# The defaults of tasks' resources. They are small: Nomad reserves them, but tasks may exceed their CPU.
_REDIS = TaskResources(cpu_mhz=200, memory_mib=256)
_QUERY_FRONTEND = TaskResources(cpu_mhz=500, memory_mib=384)
_MANAGEMENT_FRONTEND = TaskResources(cpu_mhz=100, memory_mib=128)
_MODEL = TaskResources(cpu_mhz=500, memory_mib=512)
_NO_SCHEDULING = Scheduling()
_T = TypeVar("_T")

#: Keywords of NomadSettings before it had Scheduling: the setting that each is a part of, and its name there.
_OLD_KEYWORDS = {
    "node_pool": ("scheduling", "node_pool"),
    "priority": ("scheduling", "priority"),
    "constraints": ("scheduling", "constraints"),
    "affinities": ("scheduling", "affinities"),
    "spreads": ("scheduling", "spreads"),
    "model_constraints": ("model_scheduling", "constraints"),
    "model_affinities": ("model_scheduling", "affinities"),
    "model_spreads": ("model_scheduling", "spreads"),
}


@dataclass(frozen=True)
class DynamicVolume:
    """A host volume that Nomad makes on a node for Redis, and deletes with the cluster's state.

    `plugin` makes it (Nomad brings `mkdir`); `parameters` and `constraints` are for the plugin and the node.
    Needs Nomad 1.10.
    """

    plugin: str = "mkdir"
    constraints: tuple[Constraint, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


def _takes_old_keywords(settings: type[_T]) -> type[_T]:
    """Let a dataclass's constructor take `_OLD_KEYWORDS` too, which are neither its fields nor attributes.

    As InitVars they would be attributes of every instance, whose value is the default, whatever was given.
    """
    loose: Any = settings
    initialise = loose.__init__

    @functools.wraps(initialise)
    def construct(self: _T, *arguments: Any, **keywords: Any) -> None:
        old = {name: keywords.pop(name, None) for name in _OLD_KEYWORDS}
        initialise(self, *arguments, **keywords)
        for setting in ("scheduling", "model_scheduling"):
            given = {
                keyword: value
                for keyword, value in old.items()
                if _OLD_KEYWORDS[keyword][0] == setting and value is not None
            }
            if given:
                object.__setattr__(self, setting, _read_old(setting, getattr(self, setting), given))

    loose.__init__ = construct
    return settings


@_takes_old_keywords
@dataclass(frozen=True)
class NomadSettings:
    """The settings of jobs on Nomad. Times are in seconds, memory in MiB, CPU in MHz.

    `driver` runs the tasks: DockerDriver(), or ExecDriver() and RawExecDriver() on nodes where this project
    is installed; then a model is an archive, written to `artifact_dir` and fetched by the nodes from
    `artifact_url`, which serves that folder over HTTP. `images` has the registry and the base of images.

    `scheduling` holds for all jobs, `model_scheduling` for those of models besides: its constraints and
    affinities are added, and anything else in it wins. The keywords at the end are the old way of giving
    parts of the two; each warns, and none can be read.

    `redis_volume` keeps Redis' data: a HostVolume that the nodes' configuration names, or a DynamicVolume;
    without one the data ends with Redis' job. `redis_password` is the password of the cluster's own Redis or
    of the one at `redis_ip`.

    `placement_timeout_s` is how long a job may wait for nodes before that is an error, `start_timeout_s`
    how long the frontends may take to be ready. With `rpc_proxy_only`, models reach query frontends
    through the load balancer alone. `cpu_mhz_per_core` turns Resources.cpu, in cores, into Nomad's MHz.
    """

    driver: Driver = field(default_factory=DockerDriver)
    images: ImageSettings = field(default_factory=ImageSettings.from_environment)
    region: str | None = None
    scheduling: Scheduling = _NO_SCHEDULING
    model_scheduling: Scheduling = _NO_SCHEDULING
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
    if TYPE_CHECKING:
        _: KW_ONLY
        node_pool: InitVar[str | None] = None
        priority: InitVar[int | None] = None
        constraints: InitVar[tuple[Constraint, ...] | None] = None
        affinities: InitVar[tuple[Affinity, ...] | None] = None
        spreads: InitVar[tuple[Spread, ...] | None] = None
        model_constraints: InitVar[tuple[Constraint, ...] | None] = None
        model_affinities: InitVar[tuple[Affinity, ...] | None] = None
        model_spreads: InitVar[tuple[Spread, ...] | None] = None

    else:

        def __getattr__(self, name: str) -> NoReturn:
            if name not in _OLD_KEYWORDS:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise AttributeError(
                f"NomadSettings has no attribute {name!r}, which is only an old keyword of its constructor: "
                f"read {'.'.join(_OLD_KEYWORDS[name])} instead"
            )

    def __post_init__(self, *_: Any) -> None:
        for name in ("cpu_mhz_per_core", "start_timeout_s"):
            if not getattr(self, name) > 0:
                raise ContainerManagerError(f"{name} is {getattr(self, name)!r}: use a number above 0")
        if self.placement_timeout_s < 0:
            raise ContainerManagerError(
                f"placement_timeout_s is {self.placement_timeout_s!r}: use 0 or more seconds"
            )


def _read_old(setting: str, new: Scheduling, given: Mapping[str, Any]) -> Scheduling:
    """Return the scheduling that old keywords ask for. Raises ContainerManagerError if `new` is set too."""
    names = ", ".join(given)
    wanted = ", ".join(f"{_OLD_KEYWORDS[keyword][1]}=..." for keyword in given)
    advice = f"{setting}=Scheduling({wanted})"
    if new != _NO_SCHEDULING:
        raise ContainerManagerError(
            f"NomadSettings was given {setting} and also {names}, which is the old way of setting a part of "
            f"it: give {advice} alone"
        )
    warnings.warn(
        f"{names} of NomadSettings will go: give {advice} instead", DeprecationWarning, stacklevel=3
    )
    return Scheduling(**{_OLD_KEYWORDS[keyword][1]: value for keyword, value in given.items()})

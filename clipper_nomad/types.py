"""The admin library's value types: specs describe what is wanted, records what there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, TypedDict

#: A selection policy as the management frontend reads it: its name, or an object with its configuration.
Policy: TypeAlias = str | Mapping[str, Any]


class NotGiven:
    """The mark of a default value, by which a function sees that the argument was left out."""


class DefaultInt(int, NotGiven):
    """A whole number as the default of an argument."""


class DefaultFloat(float, NotGiven):
    """A number as the default of an argument."""


@dataclass(frozen=True)
class ModelVersion:
    """One version of one model, by name."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class ClusterSpec:
    """A cluster to start. The cache is in bytes; a timeout or an image of None is the manager's default.

    `unset` names the fields that were not given: in a running cluster they stay as they are.
    """

    num_query_frontends: int = 1
    prediction_cache_bytes: int = 33554432
    header_timeout_s: float | None = None
    body_timeout_s: float | None = None
    query_frontend_image: str | None = None
    management_frontend_image: str | None = None
    unset: frozenset[str] = field(default=frozenset(), kw_only=True, compare=False)

    def over(self, before: ClusterSpec | None) -> ClusterSpec:
        """Return the whole spec: what was not given is as in the running cluster, if there is one."""
        kept = {name: getattr(before, name) for name in self.unset} if before else {}
        return replace(self, **kept, unset=frozenset())


@dataclass(frozen=True)
class Resources:
    """The resources of one replica: CPU in cores, memory in MiB. None is the manager's default.

    `memory` is reserved. `memory_max` is the limit if the machine has memory to spare, by default `memory`.
    """

    cpu: float | None = None
    memory: int | None = None
    memory_max: int | None = None


@dataclass(frozen=True)
class Device:
    """A device that each replica needs, such as `nvidia/gpu`."""

    name: str
    count: int = 1
    constraints: tuple[str, ...] = ()
    affinities: tuple[str, ...] = ()


class DeployOptions(TypedDict, total=False):
    """The options of a deployment, beside Clipper's arguments; every deployer takes them all.

    `resources` are those of each replica, by default the manager's choice. `devices` are given to each
    replica, by default none. `timeout_s` is the time in seconds to become ready, by default 300.

    `environment` are variables of each replica, `{"NAME": "value"}`; they are not secret, since whoever may
    look at the platform may read them. `sample_input` is an input as queries have it: each replica answers it
    once before it is ready, and the deployment fails if that fails. `output_type` is `json`, where an output
    is the JSON value that its text holds, or `string`, where it is always a string. `cache_ttl_s` is how long
    outputs are cached, in seconds: 0 is not at all, None (the default) as long as there is room.
    """

    resources: Resources | None
    devices: Iterable[Device]
    timeout_s: float
    environment: Mapping[str, str] | None
    sample_input: object
    output_type: str
    cache_ttl_s: float | None


class FrameworkOptions(DeployOptions, total=False):
    """The options of a framework's deployer, beside those of DeployOptions.

    With `warm_up`, by default, each replica's model answers the sample input, or zeros of the shape that the
    model declares, before the replica is ready; else loading is all that is asked. `device` is `auto` (CUDA
    where there is one), `cpu` or `cuda`. `modules` and `files` travel with the function: see
    deploy_python_closure().
    """

    warm_up: bool
    device: str
    files: Iterable[str | Path]
    modules: Iterable[str | ModuleType]


@dataclass(frozen=True)
class BuildSpec:
    """A model's folder, its base image, and the packages to install, as pip takes them."""

    model: ModelVersion
    model_data_path: Path
    base_image: str = "default"
    container_registry: str | None = None
    pkgs_to_install: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeploySpec:
    """The replicas wanted of one model version. `image` is what the manager's build() returned.

    `environment` are variables of each replica beside the manager's own, which win.
    """

    model: ModelVersion
    input_type: str
    image: str
    num_replicas: int = 1
    resources: Resources = field(default_factory=Resources)
    devices: tuple[Device, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UnusedImage:
    """An image or archive of a model version that is neither registered nor deployed any more."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Application:
    """An application to register. `on_default` is `default`, `error` or `wait`.

    `slo_micros` is in microseconds. A `policy` of None is the default one, which answers with one model.
    Scripts of web pages from `cors_origins` may query the application.
    """

    name: str
    input_type: str
    default_output: str
    slo_micros: int
    on_default: str = "default"
    policy: Policy | None = None
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelRegistration:
    """The registration of a model version. A `batch_size` of -1 is learnt.

    `output_type` and `cache_ttl_s` are those of DeployOptions. `deployed_as` identifies what was deployed; it
    is empty if the version was only registered.
    """

    model: ModelVersion
    input_type: str
    container_name: str
    labels: tuple[str, ...] = ()
    batch_size: int = -1
    output_type: str = "json"
    cache_ttl_s: float | None = None
    deployed_as: str = ""


@dataclass(frozen=True)
class QueryFrontend:
    """A live query frontend; `ready` maps each version with a replica there to that replica's RPC version."""

    id: str
    rpc_address: str
    admin_address: str
    version: str
    ready: Mapping[ModelVersion, int]


@dataclass(frozen=True)
class ModelVersions:
    """The registered versions of one model, which of them is current, and which one serves."""

    name: str
    current: str | None
    serving: str | None
    versions: tuple[str, ...]

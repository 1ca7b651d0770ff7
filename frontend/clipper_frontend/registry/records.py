"""The registry's records: frozen dataclasses, each with its form as a hash in Redis.

`from_hash` raises UnreadableRecord, which names key and field, if it cannot read a hash; `hashes.read_record`
turns that into a warning in the log.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from clipper_container.input_types import InputType
from clipper_frontend.registry.hashes import Hash, HashReader
from clipper_frontend.registry.keys import READY_PREFIX, ReplicaKey, VersionKey, frontend_key
from clipper_frontend.selection.config import CLIPPERS_DEFAULT_POLICY, PolicyConfig

ADAPTIVE_BATCH_SIZE = -1
DEFAULT_OUTPUT_POLICY = CLIPPERS_DEFAULT_POLICY


class OnDefault(enum.Enum):
    """The answers to an application's queries if no prediction arrived within the SLO."""

    DEFAULT = "default"
    ERROR = "error"
    WAIT = "wait"


class OutputType(enum.Enum):
    """The form of a model's outputs in answers: the JSON value that a text holds, or always a JSON string."""

    JSON = "json"
    STRING = "string"


@dataclass(frozen=True)
class ApplicationRecord:
    """An application; `slo_micros` is its latency SLO in microseconds.

    `policy` is the selection policy's name, which is Clipper's if Clipper has the policy; `policy_config` is
    its configuration as JSON, empty if it is the default. Scripts of web pages from `cors_origins` may query
    it.
    """

    name: str
    input_type: InputType
    policy: str
    default_output: str
    slo_micros: int
    on_default: OnDefault = OnDefault.DEFAULT
    policy_config: str = ""
    cors_origins: tuple[str, ...] = ()

    @property
    def config(self) -> PolicyConfig:
        """Return the policy as configured; raises PolicyRefusal if this frontend does not have it."""
        if self.policy_config:
            return PolicyConfig.from_json(self.policy_config)
        return PolicyConfig.parse(self.policy)

    @classmethod
    def from_hash(cls, name: str, values: Hash) -> ApplicationRecord:
        """Read the hash at key `name`, or raise UnreadableRecord."""
        reader = HashReader(f"application {name}", values)
        return cls(
            name=name,
            input_type=reader.read("input_type", InputType.parse),
            policy=reader.text("policy"),
            default_output=reader.text("default_output"),
            slo_micros=reader.read("latency_slo_micros", _positive),
            on_default=reader.read("on_default", OnDefault, absent=OnDefault.DEFAULT),
            policy_config=reader.text("policy_config", absent=""),
            cors_origins=tuple(reader.text("cors_origins", absent="").split()),
        )

    def to_hash(self) -> dict[str, str]:
        """Return the hash that holds this application."""
        return {
            "input_type": self.input_type.value,
            "policy": self.policy,
            "default_output": self.default_output,
            "latency_slo_micros": str(self.slo_micros),
            "on_default": self.on_default.value,
            "policy_config": self.policy_config,
            **({"cors_origins": " ".join(self.cors_origins)} if self.cors_origins else {}),
        }


@dataclass(frozen=True)
class ModelRecord:
    """A registered model version. `batch_size` is -1 if it is learnt.

    An output is kept in the prediction cache for `cache_ttl_s` seconds, for 0 not at all; infinity is as long
    as there is room. `cache_epoch` counts how often the cached outputs were purged. Outputs of
    `purged_replicas`, given by their instance ids, are not kept. `deployed_as` identifies what was deployed,
    to the admin library alone. `registration_id` is new at each registration, so that a version that was
    deleted and registered again differs from the old one.
    """

    name: str
    version: str
    input_type: InputType
    labels: tuple[str, ...] = ()
    container_name: str = ""
    model_data_path: str = ""
    batch_size: int = ADAPTIVE_BATCH_SIZE
    registration_id: str = ""
    output_type: OutputType = OutputType.JSON
    cache_ttl_s: float = math.inf
    cache_epoch: int = 0
    purged_replicas: tuple[str, ...] = ()
    deployed_as: str = ""

    @property
    def key(self) -> VersionKey:
        """Return the key of this version."""
        return VersionKey(self.name, self.version)

    @classmethod
    def from_hash(cls, key: VersionKey, values: Hash) -> ModelRecord | None:
        """Read the hash at `key`; return None if it is not marked as valid. Raises UnreadableRecord."""
        if "valid" not in values:
            return None
        reader = HashReader(f"model {key}", values)
        labels = reader.text("labels", absent="")
        return cls(
            name=key.model_name,
            version=key.model_version,
            input_type=reader.read("input_type", InputType.parse),
            labels=tuple(labels.split(",")) if labels else (),
            container_name=reader.text("container_name", absent=""),
            model_data_path=reader.text("model_data_path", absent=""),
            batch_size=reader.read("batch_size", _batch_size, absent=ADAPTIVE_BATCH_SIZE),
            registration_id=reader.text("registration_id", absent=""),
            output_type=reader.read("output_type", OutputType, absent=OutputType.JSON),
            cache_ttl_s=reader.read("cache_ttl_s", _lifetime, absent=math.inf),
            cache_epoch=reader.read("cache_epoch", int, absent=0),
            purged_replicas=tuple(filter(None, reader.text("purged_replicas", absent="").split("\n"))),
            deployed_as=reader.text("deployed_as", absent=""),
        )

    def to_hash(self) -> dict[str, str]:
        """Return the hash that holds this version."""
        return {
            "model_name": self.name,
            "model_version": self.version,
            "load": "0.0",
            "input_type": self.input_type.value,
            "labels": ",".join(self.labels),
            "container_name": self.container_name,
            "model_data_path": self.model_data_path,
            "batch_size": str(self.batch_size),
            "valid": "true",
            "registration_id": self.registration_id,
            "output_type": self.output_type.value,
            "cache_ttl_s": str(self.cache_ttl_s),
            "cache_epoch": str(self.cache_epoch),
            "deployed_as": self.deployed_as,
            **({"purged_replicas": "\n".join(self.purged_replicas)} if self.purged_replicas else {}),
        }


@dataclass(frozen=True)
class ReplicaRecord:
    """A replica that at least one query frontend holds a session with."""

    model_name: str
    model_version: str
    replica_id: int
    input_type: InputType
    batch_size: int
    zmq_connection_id: int
    instance_id: str
    rpc_version: int

    @property
    def key(self) -> ReplicaKey:
        """Return the key of this replica."""
        return ReplicaKey(self.model_name, self.model_version, self.replica_id)

    @classmethod
    def from_hash(cls, key: ReplicaKey, values: Hash) -> ReplicaRecord:
        """Read the hash at `key`, or raise UnreadableRecord. The fields of holders are ignored."""
        reader = HashReader(f"replica {key}", values)
        return cls(
            model_name=key.model_name,
            model_version=key.model_version,
            replica_id=key.replica_id,
            input_type=reader.read("input_type", InputType.parse),
            batch_size=reader.read("batch_size", _batch_size, absent=ADAPTIVE_BATCH_SIZE),
            zmq_connection_id=reader.read("zmq_connection_id", int, absent=0),
            instance_id=reader.text("instance_id", absent=""),
            rpc_version=reader.read("rpc_version", int, absent=3),
        )

    def to_hash(self) -> dict[str, str]:
        """Return the hash that holds this replica, without its holders."""
        return {
            "model_id": str(self.key.version_key),
            "model_name": self.model_name,
            "model_version": self.model_version,
            "model_replica_id": str(self.replica_id),
            "zmq_connection_id": str(self.zmq_connection_id),
            "batch_size": str(self.batch_size),
            "input_type": self.input_type.value,
            "instance_id": self.instance_id,
            "rpc_version": str(self.rpc_version),
        }


@dataclass(frozen=True)
class FrontendRecord:
    """A live query frontend.

    The addresses are `host:port`. Other frontends reach its admin port at `peer_address`, and at
    `admin_address` if that is empty; the admin library always uses the latter. `started_at` is an ISO 8601
    time; `ready` maps (model, version) to the RPC version (3 or 4) of this frontend's ready replicas;
    `numbers` are the numbers that its query ids begin with.
    """

    id: str
    rpc_address: str
    admin_address: str
    version: str
    started_at: str = ""
    ready: Mapping[tuple[str, str], int] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()
    peer_address: str = ""

    @property
    def address_for_peers(self) -> str:
        """Return where other query frontends reach the admin port; empty if it has none."""
        return self.peer_address or self.admin_address

    @classmethod
    def from_hash(cls, frontend_id: str, values: Hash) -> FrontendRecord:
        """Read the record of the query frontend with this id, or raise UnreadableRecord."""
        reader = HashReader(frontend_key(frontend_id), values)
        ready: dict[tuple[str, str], int] = {
            reader.parse(name, name[len(READY_PREFIX) :], VersionKey.parse): reader.read(name, int)
            for name in values
            if name.startswith(READY_PREFIX)
        }
        return cls(
            id=frontend_id,
            rpc_address=reader.text("rpc_address"),
            admin_address=reader.text("admin_address", absent=""),
            version=reader.text("version", absent=""),
            started_at=reader.text("started_at", absent=""),
            ready=ready,
            numbers=reader.read("numbers", _numbers, absent=()),
            peer_address=reader.text("peer_address", absent=""),
        )

    def to_hash(self) -> dict[str, str]:
        """Return the hash that holds this record."""
        ready = {ready_field(*model): str(rpc_version) for model, rpc_version in self.ready.items()}
        return {
            "id": self.id,
            "rpc_address": self.rpc_address,
            "admin_address": self.admin_address,
            "version": self.version,
            "started_at": self.started_at,
            "numbers": ",".join(map(str, self.numbers)),
            "peer_address": self.peer_address,
        } | ready


def ready_field(model_name: str, model_version: str) -> str:
    """Return the field of a frontend's hash that marks a version as ready."""
    return f"{READY_PREFIX}{model_name}:{model_version}"


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(","))) if text else ()


def _lifetime(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:
        raise ValueError(f"{text} is no time in seconds from 0 up")
    return seconds


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise ValueError(f"{number} is not positive")
    return number


def _batch_size(text: str) -> int:
    number = int(text)
    if number < 1 and number != ADAPTIVE_BATCH_SIZE:
        raise ValueError(f"{number} is neither positive nor -1")
    return number

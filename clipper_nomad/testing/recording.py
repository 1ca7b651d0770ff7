"""A container manager without processes, which records the calls that it gets.

Its replicas exist only as records in Redis, where a cluster's query frontends would write them, so a real
management frontend reports them as ready. It uses only the public part of Redis' layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import redis

from clipper_nomad.errors import DeploymentError
from clipper_nomad.managers import messages
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion

_MODELS_DB = 2
_CONTAINERS_DB = 3
_FRONTENDS_DB = 4
LOG = "Traceback\nValueError: the model is broken\n"


class RecordingManager(ContainerManager):
    """A manager of a cluster whose management frontend and Redis are at these addresses (`host:port`).

    `events` lists the calls, those about a model version with whether it was registered at that time, and
    `specs` their arguments. Replicas become ready at the query frontends in `ready_at`, which are ids.
    `on_check` runs when replicas are checked.
    """

    def __init__(
        self,
        management_address: str,
        redis_address: str,
        frontends: Iterable[str] = ("f1",),
        cluster_name: str = "tests",
    ) -> None:
        self.cluster_name = cluster_name
        self.management_address = management_address
        self.events: list[str] = []
        self.replicas: dict[ModelVersion, int] = {}
        self.specs: list[BuildSpec | ClusterSpec | DeploySpec] = []
        self.ready_at = tuple(frontends)
        self.rpc_version = 4
        self.on_check: Callable[[], None] = lambda: None
        self._redis_address = redis_address
        for frontend in self.ready_at:
            self._write_frontend(frontend, {})

    # -- for tests -------------------------------------------------------------------------------------------

    def keep_failing(self) -> None:
        """Let no replica become ready, and let check_replicas() raise DeploymentError."""
        self.ready_at = ()

        def fail() -> None:
            raise DeploymentError(f"a replica keeps failing:\n{LOG}")

        self.on_check = fail

    def works_again(self, *frontends: str) -> None:
        """Let replicas become ready at these frontends."""
        self.ready_at = frontends
        self.on_check = lambda: None

    def write_container(self, model: ModelVersion, number: int) -> None:
        """Write the record of a connected replica."""
        values = {
            "model_id": str(model),
            "model_name": model.name,
            "model_version": model.version,
            "model_replica_id": str(number),
            "zmq_connection_id": "1",
            "batch_size": "-1",
            "input_type": "doubles",
            "instance_id": f"{model}-{number}",
            "rpc_version": str(self.rpc_version),
        }
        with self._database(_CONTAINERS_DB) as store:
            store.hset(f"{model.name},{model.version},{number}", mapping=values)

    # -- the contract ----------------------------------------------------------------------------------------

    def start_clipper(self, spec: ClusterSpec) -> None:
        self.specs.append(spec)
        self.events.append("start_clipper")

    def connect(self) -> None:
        self.events.append("connect")

    def get_query_address(self) -> str:
        return "127.0.0.1:1337"

    def get_management_address(self) -> str:
        return self.management_address

    def get_metric_address(self) -> str:
        return "127.0.0.1:1390"

    def build(self, spec: BuildSpec) -> str:
        self.specs.append(spec)
        self.events.append(f"build {spec.model}")
        return f"image of {spec.model}"

    def deploy(self, spec: DeploySpec) -> None:
        if spec.model in self.replicas:
            raise messages.already_deployed(spec.model)
        self.specs.append(spec)
        self._record("deploy", spec.model)
        self._set(spec.model, spec.num_replicas)

    def check_replicas(self, model: ModelVersion) -> None:
        assert model in self.replicas
        self.on_check()

    def get_num_replicas(self, model: ModelVersion) -> int:
        return self.replicas.get(model, 0)

    def get_replicas(self) -> Mapping[ModelVersion, int]:
        return dict(self.replicas)

    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        if model not in self.replicas:
            raise messages.not_deployed(model)
        self._record(f"scale to {num_replicas}", model)
        self._set(model, num_replicas)

    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        for model in models:
            if self.replicas.pop(model, None) is not None:
                self._record("stop", model)

    def get_logs(self, logging_dir: Path) -> list[Path]:
        return [logging_dir / "redis.log"]

    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        return "\n".join(LOG.splitlines()[-lines:]) if model in self.replicas else ""

    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        self.events.append(f"stop_all graceful={graceful} keep_state={keep_state}")

    def remove_leftovers(self) -> bool:
        self.events.append("remove_leftovers")
        return False

    def _set(self, model: ModelVersion, num_replicas: int) -> None:
        self.replicas[model] = num_replicas
        if num_replicas and self.ready_at:
            for frontend in self.ready_at:
                self._write_frontend(frontend, {f"ready:{model}": str(self.rpc_version)})
            for number in range(num_replicas):
                self.write_container(model, number)

    def _record(self, what: str, model: ModelVersion) -> None:
        with self._database(_MODELS_DB) as store:
            registered = bool(store.exists(str(model)))
        self.events.append(f"{what} {model}, {'registered' if registered else 'unregistered'}")

    def _write_frontend(self, frontend: str, ready: Mapping[str, str]) -> None:
        values = {
            "id": frontend,
            "rpc_address": "127.0.0.1:7000",
            "admin_address": "127.0.0.1:9",
            "version": "0.1.0",
            "started_at": "2026-01-01T00:00:00Z",
            **ready,
        }
        with self._database(_FRONTENDS_DB) as store:
            store.hset(f"QUERY_FRONTEND:{frontend}", mapping=values)

    def _database(self, number: int) -> redis.Redis:
        return redis.Redis.from_url(f"redis://{self._redis_address}", db=number)

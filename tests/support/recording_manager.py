"""A container manager without processes: it writes down what is asked of it.

Owns replicas that exist only as records in Redis, where the query frontends of a cluster would write them; so
a real management frontend says that they are ready. Of Redis it knows the layout that is public.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import redis

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError, DeploymentError
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend

_MODELS_DB = 2
_CONTAINERS_DB = 3
_FRONTENDS_DB = 4
LOG = "Traceback\nValueError: the model is broken\n"


class RecordingManager(ContainerManager):
    """A manager of a cluster whose management frontend and Redis are at these addresses.

    `events` lists what was asked for, and for a model version whether it was registered at that time.
    Replicas become ready at the query frontends in `ready_at`, which are ids. `on_check` runs when replicas
    are checked.
    """

    cluster_name = "tests"

    def __init__(
        self, management_address: str, redis_address: str, frontends: Iterable[str] = ("f1",)
    ) -> None:
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

    # -- what tests say and ask ------------------------------------------------------------------------------

    def keep_failing(self) -> None:
        """Let no replica become ready, and let checking them say so."""
        self.ready_at = ()

        def fail() -> None:
            raise DeploymentError(f"a replica keeps failing:\n{LOG}")

        self.on_check = fail

    def works_again(self, *frontends: str) -> None:
        """Let replicas become ready at these frontends."""
        self.ready_at = frontends
        self.on_check = lambda: None

    def write_container(self, model: ModelVersion, number: int) -> None:
        """Let the cluster see a connected replica."""
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
            raise ContainerManagerError(f"replicas of {spec.model} are there already")
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
            raise ContainerManagerError(f"{model} was never deployed")
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


def connect(
    management: ManagementFrontend, redis_server: RedisServer, *frontends: str
) -> tuple[ClipperConnection, RecordingManager]:
    """Return a connection to a cluster that has these query frontends, by default `f1`, and its manager."""
    manager = RecordingManager(management.rest, redis_server.address, frontends or ("f1",))
    connection = ClipperConnection(manager)
    connection.connect()
    manager.events.clear()
    return connection, manager

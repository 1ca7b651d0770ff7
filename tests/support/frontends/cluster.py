"""A whole cluster of real processes, for functional tests and benchmarks.

It starts and ends the parts in order. It speaks REST to the frontends and never imports them. It reads the
replicas' records in Redis.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import redis

from clipper_container.kinds.closure import save_closure
from clipper_nomad.testing.rest import RefusedError, predict, request
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import Container, ManagementFrontend, Process, QueryFrontend, eventually

__all__ = ["CLUSTER_NAME", "Cluster", "RefusedError", "predict", "request"]

CLUSTER_NAME = "tests"
_CONTAINERS_DB = 3
_NOT_SERVING = {"no_model", "no_replica"}


class Cluster:
    """Redis, a management frontend, query frontends and containers; all end with the `with` block.

    With `share_port` all query frontends listen on the first one's port.
    """

    def __init__(
        self, num_frontends: int = 1, *, share_port: bool = False, frontend_arguments: Sequence[str] = ()
    ) -> None:
        self.frontends: list[QueryFrontend] = []
        self.containers: list[Container] = []
        self._num_frontends = num_frontends
        self._share_port = share_port
        self._frontend_arguments = tuple(frontend_arguments)
        self._processes: list[Process] = []
        self._folder = tempfile.TemporaryDirectory(prefix="clipper-tests-")
        self.directory = Path(self._folder.name)
        self.redis = RedisServer(self.directory / "redis")

    def __enter__(self) -> Self:
        try:
            self.redis.start()
            self.management = ManagementFrontend(self.redis.address, cluster_name=CLUSTER_NAME)
            self._processes.append(self.management)
            for _ in range(self._num_frontends):
                self.start_frontend()
            self.management.wait_until_listening()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.kill()
        self.redis.kill()
        self._folder.cleanup()

    @property
    def frontend(self) -> QueryFrontend:
        """Return the first query frontend."""
        return self.frontends[0]

    def start_frontend(self, *arguments: str) -> QueryFrontend:
        """Start another query frontend and return it once it listens."""
        arguments = (*self._frontend_arguments, *arguments)
        port = 0
        if self._share_port:
            arguments = (*arguments, "--reuse-port")
            port = int(self.frontend.rest.rpartition(":")[2]) if self.frontends else 0
        frontend = QueryFrontend(
            self.redis.address, cluster_name=CLUSTER_NAME, port=port, arguments=arguments
        )
        self._processes.append(frontend)
        frontend.wait_until_listening()
        self.frontends.append(frontend)
        return frontend

    def admin(self, call: str, **body: Any) -> Any:
        """Make a management call; return its answer, parsed if it is JSON, or raise RefusedError."""
        status, answer = request(self.management.rest, "POST", f"/admin/{call}", json.dumps(body).encode())
        text = answer.decode()
        if status != 200:
            raise RefusedError(status, text)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def add_app(
        self, name: str, input_type: str = "doubles", *, slo_s: float = 1.0, on_default: str = "default"
    ) -> None:
        """Register an application whose default output is `-1.0`."""
        self.admin(
            "add_app",
            name=name,
            input_type=input_type,
            default_output="-1.0",
            latency_slo_micros=round(slo_s * 1e6),
            on_default=on_default,
        )

    def add_model(
        self, name: str, version: str = "1", input_type: str = "doubles", *, batch_size: int = -1
    ) -> None:
        """Register a model version, which makes it the current one."""
        self.admin(
            "add_model",
            model_name=name,
            model_version=version,
            labels=[],
            input_type=input_type,
            container_name="",
            model_data_path="",
            batch_size=batch_size,
        )

    def link(self, app: str, model: str) -> None:
        """Link a model to an application."""
        self.admin("add_model_links", app_name=app, model_names=[model])

    def start_container(
        self,
        function: Callable[[Any], Sequence[Any]],
        name: str,
        version: str = "1",
        input_type: str = "doubles",
        *,
        environment: Mapping[str, str] | None = None,
        frontends: Sequence[QueryFrontend] | None = None,
    ) -> Container:
        """Start a replica of the model `function`; return it once `frontends` (default: all) hold it."""
        model_path = self._new_model_path()
        save_closure(function, model_path)
        container = self._run_container(
            name, version, input_type, model_path, environment or {}, letter=False
        )
        awaited = self.frontends if frontends is None else frontends
        eventually(
            lambda: all(self.holds(frontend, container) for frontend in awaited),
            f"replica {container.instance_id} of {name}:{version} to connect\n{container.log}",
        )
        return container

    def start_letter_container(
        self, code: str, name: str, version: str = "1", input_type: str = "doubles"
    ) -> Container:
        """Start a replica of RPC version 3; its model is `code`, a module with a `predict`."""
        model_path = self._new_model_path()
        (model_path / "model.py").write_text(code)
        return self._run_container(name, version, input_type, model_path, {}, letter=True)

    def _new_model_path(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="model-", dir=self.directory))

    def _run_container(
        self,
        name: str,
        version: str,
        input_type: str,
        model_path: Path,
        environment: Mapping[str, str],
        *,
        letter: bool,
    ) -> Container:
        host, _, port = self.frontend.rpc.rpartition(":")
        container = Container(
            {
                "CLIPPER_MODEL_NAME": name,
                "CLIPPER_MODEL_VERSION": version,
                "CLIPPER_INPUT_TYPE": input_type,
                "CLIPPER_MODEL_PATH": str(model_path),
                "CLIPPER_CLUSTER_NAME": CLUSTER_NAME,
                "CLIPPER_IP": host,
                "CLIPPER_PORT": port,
                **environment,
            },
            letter=letter,
        )
        self._processes.append(container)
        self.containers.append(container)
        return container

    def serve(
        self,
        function: Callable[[Any], Sequence[Any]],
        *,
        app: str = "app",
        model: str = "model",
        input_type: str = "doubles",
        slo_s: float = 1.0,
        replicas: int = 1,
        batch_size: int = -1,
        on_default: str = "default",
        probe: Any = (1.0,),
    ) -> list[Container]:
        """Make `app` answer from `replicas` replicas of the model `function`, and return them."""
        self.add_app(app, input_type, slo_s=slo_s, on_default=on_default)
        started = [self.start_container(function, model, input_type=input_type) for _ in range(replicas)]
        self.add_model(model, input_type=input_type, batch_size=batch_size)
        self.link(app, model)
        for frontend in self.frontends:
            self.wait_until_served(frontend, app, probe)
        return started

    def wait_until_known(self, frontend: QueryFrontend, app: str) -> None:
        """Return once this frontend knows the application."""

        def known() -> bool:
            return request(frontend.rest, "POST", f"/{app}/predict", b"{}")[0] == 400

        eventually(known, f"{app} is known to {frontend.name}")

    def wait_until_served(
        self, frontend: QueryFrontend, app: str, probe: Any = (1.0,), timeout_s: float = 30
    ) -> None:
        """Return once queries of `app` reach a model at this frontend, whatever the model answers."""
        body = json.dumps({"input": probe}).encode()

        def served() -> bool:
            answer = json.loads(request(frontend.rest, "POST", f"/{app}/predict", body)[1])
            reason = answer.get("default_reason")
            return ("output" in answer or reason is not None) and reason not in _NOT_SERVING

        eventually(served, f"{app} reaches a model at {frontend.name}\n{frontend.log[-3000:]}", timeout_s)

    def holds(self, frontend: QueryFrontend, container: Container) -> bool:
        """Return whether this frontend has recorded in Redis that it holds this replica."""
        with redis.Redis.from_url(f"redis://{self.redis.address}", db=_CONTAINERS_DB) as store:
            records = [store.hgetall(key) for key in store.scan_iter()]
        holder = f"holder:{frontend.id}".encode()
        return any(
            record.get(b"instance_id") == container.instance_id.encode() and holder in record
            for record in records
        )

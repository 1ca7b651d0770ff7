"""A container manager of another package: its clusters exist on paper alone, in one JSON file each.

It keeps the contract's sentences about records, which every process sees, and runs no frontend or model.
Tests install it as a package of its own, and run the contract suite for it with the harness below.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers import messages
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.compatibility import require_compatible
from clipper_nomad.managers.connection_state import ConnectionState
from clipper_nomad.managers.dns_names import require_dns_name, require_model_names
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.managers.ports import choose_free, require_free
from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion

_FIXED = {"query_port": "query_port", "management_port": "management_port"}


def project_version() -> str:
    """Return the version that clusters are started with."""
    return "1.0"


@dataclass
class Paper:
    """A cluster's file: the `parts` that run, with their runs' ids, and the wanted `replicas`."""

    version: str
    query_port: int
    management_port: int
    parts: dict[str, str] = field(default_factory=dict)
    replicas: dict[str, int] = field(default_factory=dict)


class PaperManager(ContainerManager):
    """A cluster in the file `<folder>/<cluster_name>.json`."""

    def __init__(
        self,
        cluster_name: str = "default-cluster",
        folder: Path = Path(),
        query_port: int = 1337,
        management_port: int = 1338,
    ) -> None:
        self.cluster_name = require_dns_name(cluster_name, "cluster name")
        self._path = folder / f"{cluster_name}.json"
        self._wanted = Paper(project_version(), query_port, management_port)
        self._connection = ConnectionState(cluster_name, self._read)

    @classmethod
    def from_cli(cls, options: ClusterOptions) -> Self:
        """Return the manager of a cluster in `--state-dir`."""
        folder = options.state_dir or Path()
        return cls(options.cluster_name, folder, options.query_port, options.management_port)

    def start_clipper(self, spec: ClusterSpec) -> None:
        """Write the parts that are missing."""
        before = self._read()
        if before is None:
            ports = {name: getattr(self._wanted, name) for name in _FIXED}
            require_free([("127.0.0.1", port, name) for name, port in ports.items()])
        else:
            require_compatible(self._wanted, before, self.cluster_name, _FIXED)
        paper = before or self._wanted
        names = [f"query-frontend.{index}" for index in range(spec.num_query_frontends)]
        for name in ("redis", "management-frontend", *names):
            paper.parts.setdefault(name, _new_run())
        self._write(paper)
        self._connection.is_connected = True

    def connect(self) -> None:
        """Read the file."""
        if self._read() is None:
            raise messages.not_found(self.cluster_name, f"in {self._path.parent}")
        self._connection.is_connected = True

    def get_query_address(self) -> str:
        return f"127.0.0.1:{self._connection.record().query_port}"

    def get_management_address(self) -> str:
        return f"127.0.0.1:{self._connection.record().management_port}"

    def get_metric_address(self) -> str:
        return self.get_query_address()

    def build(self, spec: BuildSpec) -> str:
        """Return a name made of the folder's content."""
        digest = hashlib.sha256()
        for path in sorted(each for each in spec.model_data_path.rglob("*") if each.is_file()):
            digest.update(path.read_bytes())
        return f"paper:{digest.hexdigest()[:12]}"

    def deploy(self, spec: DeploySpec) -> None:
        """Write a version's replicas."""
        paper = self._connection.record()
        require_model_names(spec.model)
        if str(spec.model) in paper.replicas:
            raise messages.already_deployed(spec.model)
        if not spec.image.startswith("paper:"):
            raise ContainerManagerError(
                f"Could not deploy {spec.model}: build() did not make {spec.image!r}. Build it first."
            )
        if spec.devices:
            raise ContainerManagerError(
                f"Could not deploy {spec.model}: paper has no device {spec.devices[0].name!r}. Ask for none."
            )
        self._set(paper, spec.model, spec.num_replicas)

    def check_replicas(self, model: ModelVersion) -> None:
        """Require a cluster; no replica on paper fails."""
        del model
        self._connection.record()

    def get_num_replicas(self, model: ModelVersion) -> int:
        return self.get_replicas().get(model, 0)

    def get_replicas(self) -> Mapping[ModelVersion, int]:
        replicas = self._connection.record().replicas
        return {ModelVersion(*text.split(":")): count for text, count in replicas.items()}

    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        paper = self._connection.record()
        if str(model) not in paper.replicas:
            raise messages.not_deployed(model)
        self._set(paper, model, num_replicas)

    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        paper = self._connection.record()
        for model in models:
            if str(model) in paper.replicas:
                self._set(paper, model, 0)
                del paper.replicas[str(model)]
        self._write(paper)

    def get_logs(self, logging_dir: Path) -> list[Path]:
        """Write the first log line of each part."""
        logging_dir.mkdir(parents=True, exist_ok=True)
        paths = []
        for part in self._connection.record().parts:
            paths.append(logging_dir / f"{self.cluster_name}-{part}.log")
            paths[-1].write_text("Ready to accept connections\n")
        return paths

    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        text = "written on paper\n" * min(lines, 1)
        return messages.join_logs({str(index): text for index in range(self.get_num_replicas(model))})

    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        del graceful
        self._connection.record()
        if keep_state:
            raise ContainerManagerError(
                "Could not keep the state of a cluster on paper: stop it without keep_state."
            )
        self.remove_leftovers()

    def remove_leftovers(self) -> bool:
        self._connection.is_connected = False
        was_there = self._path.exists()
        self._path.unlink(missing_ok=True)
        return was_there

    def _set(self, paper: Paper, model: ModelVersion, num_replicas: int) -> None:
        prefix = f"model.{model.name}.{model.version}."
        wanted = [f"{prefix}{index}" for index in range(num_replicas)]
        paper.parts = {
            name: run for name, run in paper.parts.items() if not name.startswith(prefix) or name in wanted
        }
        for name in wanted:
            paper.parts.setdefault(name, _new_run())
        paper.replicas[str(model)] = num_replicas
        self._write(paper)

    def _read(self) -> Paper | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Paper)
        except FileNotFoundError:
            return None

    def _write(self, paper: Paper) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(msgspec.json.encode(paper))


class PaperHarness:
    """The place of one cluster on paper, managed by `manager_type`."""

    version_function = f"{__name__}.project_version"

    def __init__(self, folder: Path, manager_type: type[PaperManager] = PaperManager) -> None:
        self.cluster_name = "paper"
        self._folder = folder
        self._manager_type = manager_type
        query_port, management_port, other = choose_free("127.0.0.1", 3)
        self._ports = {"query_port": query_port, "management_port": management_port}
        self.elsewhere: Mapping[str, int] = {"query_port": other}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.make_manager().remove_leftovers()

    def make_manager(self, **settings: Any) -> PaperManager:
        own = {"cluster_name": self.cluster_name, "folder": self._folder, **self._ports}
        return self._manager_type(**{**own, **settings})

    def connect_script(self) -> str:
        return (
            "from pathlib import Path\n"
            f"from {__name__} import PaperManager\n"
            f"manager = PaperManager('paper', Path({str(self._folder)!r}))\n"
            "manager.connect()\n"
        )

    def parts(self) -> dict[str, str]:
        path = self._folder / "paper.json"
        return msgspec.json.decode(path.read_bytes(), type=Paper).parts if path.exists() else {}

    def kill(self, part: str) -> None:
        raise NotImplementedError(f"{part} is not a process")

    @contextlib.contextmanager
    def taken_port(self) -> Iterator[str]:
        port = self._ports["query_port"]
        with socket.create_server(("127.0.0.1", port)):
            yield rf"port {port} \(query_port\) is taken"

    def is_gone(self) -> bool:
        return not (self._folder / "paper.json").exists()


def _new_run() -> str:
    return uuid.uuid4().hex

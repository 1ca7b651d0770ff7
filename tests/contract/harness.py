"""The contract suite's harnesses for the local manager and for Docker."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import docker

from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.docker import DockerContainerManager
from clipper_nomad.managers.ports import choose_free
from tests.support.local_clusters import CLUSTER_NAME, LocalCluster

_PORT_SETTINGS = ("clipper_query_port", "clipper_management_port", "clipper_rpc_port")


class LocalHarness:
    """A cluster of processes, in a state directory of its own."""

    version_function = "clipper_nomad.managers.local.manager.metadata.version"

    def __init__(self, state_root: Path) -> None:
        self._cluster = LocalCluster(state_root)
        self.cluster_name = CLUSTER_NAME
        self.wanted_port = (self._cluster.ports["query_port"], "query_port")
        self.elsewhere: Mapping[str, int] = {"query_port": choose_free("127.0.0.1", 1)[0]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cluster.__exit__()

    def make_manager(self, **settings: Any) -> ContainerManager:
        return self._cluster.make_manager(**settings)

    def connect_script(self) -> str:
        return (
            "from clipper_nomad import LocalContainerManager\n"
            f"state_dir = {str(self._cluster.state_root)!r}\n"
            f"manager = LocalContainerManager({CLUSTER_NAME!r}, state_dir=state_dir)\n"
            "manager.connect()\n"
        )

    def parts(self) -> dict[str, str]:
        if not self._cluster.live_processes():
            return {}
        return {name: str(each.pid) for name, each in self._cluster.processes().items() if each.pid}

    def kill(self, part: str) -> None:
        os.kill(self._cluster.pid(part), signal.SIGKILL)

    def taken_port(self) -> AbstractContextManager[str]:
        return _taken(*self.wanted_port)

    def is_gone(self) -> bool:
        return not self._cluster.live_processes() and not self._cluster.state.path.exists()


class DockerHarness:
    """A cluster of containers, on ports and a network of its own."""

    version_function = "clipper_nomad.managers.docker.manager.project_version"

    def __init__(self, client: docker.DockerClient, images: ImageSettings) -> None:
        self._client = client
        self._images = images
        self.cluster_name = f"tests-{uuid.uuid4().hex[:8]}"
        self._network = f"clipper-{self.cluster_name}"
        ports = choose_free("127.0.0.1", len(_PORT_SETTINGS) + 1)
        self.ports = dict(zip(_PORT_SETTINGS, ports, strict=False))
        self.wanted_port = (self.ports["clipper_query_port"], "clipper_query_port")
        self.elsewhere: Mapping[str, int] = {"clipper_query_port": ports[-1]}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.make_manager().remove_leftovers()
        for image in self._client.images.list(filters={"reference": f"{self.cluster_name}-*"}):
            self._client.images.remove(image.id, force=True)

    def make_manager(self, **settings: Any) -> DockerContainerManager:
        return DockerContainerManager(
            self.cluster_name,
            **{"docker_network": self._network, "images": self._images, **self.ports, **settings},
        )

    def connect_script(self) -> str:
        return (
            "from clipper_nomad import DockerContainerManager\n"
            f"manager = DockerContainerManager({self.cluster_name!r})\n"
            "manager.connect()\n"
        )

    def containers(self) -> dict[str, Any]:
        """Return all containers of the cluster by their names within it."""
        found = self._client.containers.list(
            all=True, filters={"label": f"clipper-nomad.cluster={self.cluster_name}"}, ignore_removed=True
        )
        return {each.name.removeprefix(f"clipper.{self.cluster_name}."): each for each in found}

    def parts(self) -> dict[str, str]:
        return {
            name: f"{each.id} {each.attrs['State']['StartedAt']}"
            for name, each in self.containers().items()
            if each.status == "running"
        }

    def kill(self, part: str) -> None:
        # From inside, which spares the container's init: the engine never restarts what it kills itself.
        self.containers()[part].exec_run(["sh", "-c", "kill -9 -1"], user="0")

    def taken_port(self) -> AbstractContextManager[str]:
        return _taken(*self.wanted_port)

    def is_gone(self) -> bool:
        volumes = self._client.volumes.list(filters={"label": f"clipper-nomad.cluster={self.cluster_name}"})
        return not self.containers() and not volumes and not self._client.networks.list(names=[self._network])


@contextlib.contextmanager
def _taken(port: int, setting: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", port)):
        yield rf"port {port} \({setting}\) is taken"

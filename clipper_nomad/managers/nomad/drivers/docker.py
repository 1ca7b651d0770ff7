"""The docker driver: images, whose ports are mapped to the host's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import meta
from clipper_nomad.jobspecs.hcl import Interpolated, Value
from clipper_nomad.managers.nomad.drivers.base import CONTAINER_PORTS, Component, Program


@dataclass(frozen=True)
class RegistryAuth:
    """What a registry asks for. It stands in the job, where all who may read the job can read it."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class DockerDriver:
    """Containers on each node's Docker engine.

    `image_pull_timeout_s` is in whole seconds. With `force_pull`, a tag is looked up again at each start.
    With the `network_mode` of `host`, tasks listen on the host's ports. `config` is more of the
    driver's own settings, and wins over what is set here.
    """

    auth: RegistryAuth | None = None
    force_pull: bool = False
    image_pull_timeout_s: int = 600
    network_mode: str | None = None
    config: Mapping[str, Value] = field(default_factory=dict)

    name = "docker"
    mounts_volumes = True

    def program(self, component: Component) -> Program:
        """Return the container of a component. Raises ContainerManagerError where there is no image."""
        if not component.source:
            raise ContainerManagerError(
                f"Cannot run {component.name} with the docker driver: there is no image of it. Give one."
            )
        ports = {} if self.network_mode == "host" else CONTAINER_PORTS[component.name]
        # As process 1, a program that is still starting would not hear that it is to stop.
        config: dict[str, Value] = {"image": component.source, "init": True}
        if ports:
            config["ports"] = list(ports)
        if arguments := (*self._port_arguments(component.name), *component.arguments):
            config["args"] = arguments
        if self.auth is not None:
            config["auth"] = {"username": self.auth.username, "password": self.auth.password}
        if self.force_pull:
            config["force_pull"] = True
        config["image_pull_timeout"] = f"{self.image_pull_timeout_s}s"
        if self.network_mode is not None:
            config["network_mode"] = self.network_mode
        return Program({**config, **self.config}, ports)

    def _port_arguments(self, component: str) -> tuple[str, ...]:
        """Return what tells a process its port where the host's is its own: all but Redis read variables."""
        if self.network_mode == "host" and component == meta.REDIS:
            return ("--port", Interpolated("${NOMAD_PORT_redis}"))
        return ()

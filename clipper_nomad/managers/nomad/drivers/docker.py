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
    """The credentials of a registry. They are in the job, for everybody who may read the job."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class DockerDriver:
    """Containers on each node's Docker engine.

    `image_pull_timeout_s` is in whole seconds. With `force_pull`, a tag is looked up again at each start.
    With the `network_mode` of `host`, tasks listen on the host's ports. `config` has more of the
    driver's own settings, and wins.
    """

    auth: RegistryAuth | None = None
    force_pull: bool = False
    image_pull_timeout_s: int = 600
    network_mode: str | None = None
    config: Mapping[str, Value] = field(default_factory=dict)

    name = "docker"
    mounts_volumes = True

    def program(self, component: Component) -> Program:
        """Return the container of a component. Raises ContainerManagerError if it has no image."""
        if not component.source:
            raise ContainerManagerError(
                f"Cannot run {component.name} with the docker driver: there is no image of it. Give one."
            )
        ports = {} if self.network_mode == "host" else CONTAINER_PORTS[component.name]
        # As process 1, a program that is still starting would miss SIGTERM.
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
        """Return the arguments that set the port on the host's network: only Redis reads no variables."""
        if self.network_mode == "host" and component == meta.REDIS:
            return ("--port", Interpolated("${NOMAD_PORT_redis}"))
        return ()

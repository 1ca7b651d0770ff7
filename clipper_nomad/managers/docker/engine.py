"""The Docker engine: containers made from definitions, networks, volumes, and its errors, translated."""

from __future__ import annotations

import contextlib
import datetime
import re
import weakref
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.types
import requests

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import connect_engine
from clipper_nomad.managers.disk.logs import save_log
from clipper_nomad.managers.docker import containers
from clipper_nomad.managers.docker.containers import Container
from clipper_nomad.managers.docker.definitions import Definition

_MAX_STOPPED_AT_ONCE = 8
_LOG_CONFIG = {"max-size": "10m", "max-file": "3"}
_PORT_TAKEN = re.compile(r"port is already allocated|address already in use")
_NAME_TAKEN = re.compile(r"container name .* is already in use")
#: All other extra_container_kwargs belong to what the engine calls the host's configuration.
_CREATE_ARGUMENTS = frozenset({"domainname", "hostname", "mac_address", "platform", "stop_signal", "user"})
_MERGED_ARGUMENTS = frozenset({"labels", "environment", "volumes"})
_RESERVED_ARGUMENTS = frozenset(
    {"image", "command", "name", "network", "network_mode", "ports", "detach", "remove", "auto_remove"}
)


class Engine:
    """The engine of DOCKER_HOST (with DOCKER_TLS_VERIFY and so on), by default this machine's."""

    def __init__(self, extra_container_kwargs: Mapping[str, Any]) -> None:
        if reserved := sorted(_RESERVED_ARGUMENTS & extra_container_kwargs.keys()):
            raise ContainerManagerError(
                f"extra_container_kwargs has {', '.join(reserved)}, which the manager itself sets: "
                "leave it out"
            )
        self._extra = dict(extra_container_kwargs)
        self._client: docker.DockerClient | None = None

    @property
    def client(self) -> docker.DockerClient:
        """Return the client. Raises ContainerManagerError if no engine answers."""
        if self._client is None:
            client = connect_engine()
            weakref.finalize(self, client.close)
            self._client = client
        return self._client

    # -- containers ------------------------------------------------------------------------------------------

    def find(self, labels: Mapping[str, str]) -> list[Container]:
        """Return the containers with these labels, running or not, by name."""
        wanted = [f"{key}={value}" for key, value in labels.items()]
        with _translated("Could not list the cluster's containers"):
            listed = self.client.containers.list(all=True, filters={"label": wanted}, ignore_removed=True)
        return sorted((containers.read(each.attrs) for each in listed), key=lambda each: each.name)

    def create(self, definition: Definition) -> str:
        """Create a container, without starting it, and return its id."""
        host, create = self._arguments(definition)
        api = self.client.api
        with _translated(f"Could not create the container {definition.name}"):
            try:
                host_config = api.create_host_config(**host)
            except TypeError as error:
                raise ContainerManagerError(
                    f"extra_container_kwargs has arguments that the docker package does not know: {error}"
                ) from error
            made = api.create_container(
                image=definition.image,
                name=definition.name,
                stop_timeout=definition.stop_timeout_s,
                ports=[each.container_port for each in definition.published],
                host_config=host_config,
                networking_config=api.create_networking_config(
                    {definition.network: api.create_endpoint_config()}
                ),
                **create,
            )
        return str(made["Id"])

    def _arguments(self, definition: Definition) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the host's and the container's arguments; the definition wins over what is extra."""
        extra = self._extra
        host: dict[str, Any] = {
            "restart_policy": {"Name": "unless-stopped"},
            "log_config": docker.types.LogConfig(type="json-file", config=_LOG_CONFIG),
            # It reaps a model's own processes that outlive it.
            "init": True,
        }
        create: dict[str, Any] = {
            "labels": {**_as_dict(extra.get("labels")), **definition.all_labels},
            "environment": {**_as_dict(extra.get("environment")), **definition.environment},
        }
        for name, value in extra.items():
            if name in _CREATE_ARGUMENTS:
                create[name] = value
            elif name not in _MERGED_ARGUMENTS:
                host[name] = value
        own_volumes = {name: {"bind": path, "mode": "rw"} for name, path in definition.volumes.items()}
        host["binds"] = {**extra.get("volumes", {}), **own_volumes}
        host["port_bindings"] = {
            each.container_port: (each.host_ip, each.host_port) for each in definition.published
        }
        host["network_mode"] = definition.network
        host |= definition.limits()
        if definition.num_gpus:
            request = docker.types.DeviceRequest(
                driver="nvidia", count=definition.num_gpus, capabilities=[["gpu"]]
            )
            host["device_requests"] = [*host.get("device_requests", []), request]
        return host, create

    def start(self, definition: Definition, container_id: str) -> None:
        """Start a container that was made from `definition`.

        Raises ContainerManagerError with the engine's reason, and for a taken port with its setting.
        """
        try:
            with _translated(f"Could not start the container {definition.name}"):
                self.client.api.start(container_id)
        except ContainerManagerError as error:
            if _PORT_TAKEN.search(error.msg):
                raise ContainerManagerError(_describe_taken_port(definition, error.msg)) from error
            raise

    def start_as_it_is(self, container: Container) -> None:
        """Start a container that was stopped."""
        with _translated(f"Could not start the container {container.name}"):
            self.client.api.start(container.id)

    def attach(self, container: Container, network: str) -> None:
        """Connect a container that does not run with `network`, and with no other."""
        with _translated(f"Could not connect the container {container.name} with the network {network}"):
            for name in container.networks:
                if name != network:
                    self.client.api.disconnect_container_from_network(container.id, name, force=True)
            if network not in container.networks:
                self.client.api.connect_container_to_network(container.id, network)

    def rename(self, container_id: str, name: str) -> None:
        """Give a container another name."""
        with _translated(f"Could not rename a container to {name}"):
            self.client.api.rename(container_id, name)

    def stop(self, found: Collection[Container]) -> None:
        """Ask containers to end, all at once, and return when they have; the engine kills late ones."""
        if not found:
            return
        client = self.client
        with (
            _translated("Could not stop containers of the cluster"),
            ThreadPoolExecutor(_MAX_STOPPED_AT_ONCE) as pool,
        ):
            list(pool.map(lambda each: _stop(client, each), found))

    def kill(self, found: Collection[Container]) -> None:
        """End containers at once; they stay, stopped."""
        with _translated("Could not end containers of the cluster"):
            for container in found:
                # It may have ended by itself, or may never have been started.
                with contextlib.suppress(docker.errors.APIError):
                    self.client.api.stop(container.id, timeout=0)

    def remove(self, found: Collection[str]) -> None:
        """Remove containers by id or by name, at once; missing ones are skipped."""
        with _translated("Could not remove containers of the cluster"):
            for container_id in found:
                with contextlib.suppress(docker.errors.NotFound):
                    self.client.api.remove_container(container_id, force=True, v=True)

    def logs(self, container: Container, tail: int | None = None) -> str:
        """Return a container's log, or its last `tail` lines."""
        with _translated(f"Could not read the log of the container {container.name}"):
            data: bytes = self.client.api.logs(container.id, tail="all" if tail is None else tail)
        return data.decode(errors="replace")

    def write_log(self, container: Container, path: Path) -> None:
        """Write a container's whole log into a file, escaped."""
        with _translated(f"Could not read the log of the container {container.name}"):
            save_log(path, self.client.api.logs(container.id, stream=True, follow=False))

    # -- networks and volumes --------------------------------------------------------------------------------

    def provide_network(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make a bridge network of this name unless there is one; return whether it was made."""
        if name in ("bridge", "host", "none", "default"):
            raise ContainerManagerError(
                f"docker_network is {name!r}, a network where containers cannot find each other by name: "
                "choose another name; the network is made if it is missing"
            )
        with _translated(f"Could not make the network {name}"):
            if self.client.networks.list(names=[f"^{re.escape(name)}$"]):
                return False
            self.client.networks.create(name, driver="bridge", labels=dict(labels), check_duplicate=True)
        return True

    def remove_network(self, name: str, label: str) -> None:
        """Remove a network that a manager made (it has `label`) and that no container uses any more."""
        with _translated(f"Could not remove the network {name}"):
            users = self.client.api.containers(all=True, filters={"network": [name]}, quiet=True)
            for network in self.client.networks.list(names=[f"^{re.escape(name)}$"]):
                if not users and label in (network.attrs["Labels"] or {}):
                    # Another process may have removed it already, or another cluster may just have joined it.
                    with contextlib.suppress(docker.errors.APIError):
                        network.remove()

    def provide_volume(self, name: str, labels: Mapping[str, str]) -> bool:
        """Make a volume of this name unless there is one; return whether it was made."""
        with _translated(f"Could not make the volume {name}"):
            if self.has_volume(name):
                return False
            self.client.volumes.create(name, labels=dict(labels))
        return True

    def has_volume(self, name: str) -> bool:
        """Return whether there is a volume of this name."""
        with _translated(f"Could not look for the volume {name}"):
            try:
                self.client.volumes.get(name)
            except docker.errors.NotFound:
                return False
        return True

    def remove_volume(self, name: str) -> None:
        """Remove a volume with all that is in it, if it is there."""
        with _translated(f"Could not remove the volume {name}"), contextlib.suppress(docker.errors.NotFound):
            self.client.api.remove_volume(name)

    def now(self) -> datetime.datetime:
        """Return the time by the engine's clock, to compare with its containers' times."""
        with _translated("Could not ask the Docker engine for the time"):
            return containers.parse_time(self.client.info()["SystemTime"])


def is_name_taken(error: ContainerManagerError) -> bool:
    """Return whether creating a container failed because its name is taken."""
    return bool(_NAME_TAKEN.search(error.msg))


def _stop(client: docker.DockerClient, container: Container) -> None:
    with contextlib.suppress(docker.errors.NotFound):
        client.api.stop(container.id, timeout=container.stop_timeout_s)


def _describe_taken_port(definition: Definition, message: str) -> str:
    def mentioned(port: int) -> bool:
        return re.search(rf":{port}\b", message) is not None

    taken = [each for each in definition.published if mentioned(each.host_port)] or definition.published
    ports = " or ".join(f"port {each.host_port} ({each.setting})" for each in taken)
    return (
        f"Could not start the container {definition.name}: {ports} is taken on {taken[0].host_ip}. Stop what "
        "listens there, or choose another port by this setting."
    )


def _as_dict(value: object) -> dict[str, str]:
    """Return labels or an environment as a dict; the docker package takes lists too."""
    if isinstance(value, Mapping):
        return {str(key): str(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return {str(key): content for key, _, content in (str(each).partition("=") for each in value)}
    return {}


@contextlib.contextmanager
def _translated(attempt: str) -> Iterator[None]:
    """Translate the engine's errors into ContainerManagerError, each with the `attempt` that failed."""
    try:
        yield
    except docker.errors.APIError as error:
        raise ContainerManagerError(f"{attempt}: the Docker engine answered: {error.explanation}") from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise ContainerManagerError(f"{attempt}: the Docker engine does not answer ({error})") from error

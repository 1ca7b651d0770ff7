"""A Nomad cluster's settings from CLIPPER_*, beside NOMAD_* and CONSUL_* of HashiCorp's own tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import HostVolume, Scheduling
from clipper_nomad.managers.nomad.dns import ConsulDNS
from clipper_nomad.managers.nomad.drivers import DockerDriver, Driver, ExecDriver, RawExecDriver
from clipper_nomad.managers.nomad.load_balancer import FabioLoadBalancer, LoadBalancer, NoLoadBalancer
from clipper_nomad.managers.nomad.settings import DynamicVolume, NomadSettings

_TRUE = ("1", "true", "yes", "on")
_DYNAMIC = "dynamic"


def read_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of NomadContainerManager that CLIPPER_* set.

    CLIPPER_FABIO_ADDRESS, _HTTP_PORT, _TCP_PORT and _ROUTE_MANAGEMENT; CLIPPER_DNS (the DNS server for this
    machine and for containers); CLIPPER_DATACENTERS (comma-separated); CLIPPER_REDIS_IP, CLIPPER_REDIS_PORT;
    CLIPPER_REDIS_VOLUME (a host volume's name, or `dynamic`) and CLIPPER_REDIS_PASSWORD; CLIPPER_DRIVER with
    CLIPPER_BIN_DIR, CLIPPER_ARTIFACT_DIR and CLIPPER_ARTIFACT_URL; CLIPPER_NODE_POOL. Raises
    ContainerManagerError that names the variable.
    """
    given = {
        key.removeprefix("CLIPPER_"): value
        for key, value in environment.items()
        if value and key.startswith("CLIPPER_")
    }
    arguments: dict[str, Any] = {
        "dns": ConsulDNS(given.get("DNS")),
        "load_balancer": _load_balancer(given),
        "settings": _settings(given, environment),
    }
    if datacenters := given.get("DATACENTERS"):
        arguments["datacenters"] = tuple(filter(None, map(str.strip, datacenters.split(","))))
    if redis_ip := given.get("REDIS_IP"):
        arguments["redis_ip"] = redis_ip
        arguments["redis_port"] = _port(given, "REDIS_PORT", 6379)
    return arguments


def _load_balancer(given: Mapping[str, str]) -> LoadBalancer:
    if "FABIO_ADDRESS" not in given:
        return NoLoadBalancer()
    return FabioLoadBalancer(
        given["FABIO_ADDRESS"],
        _port(given, "FABIO_HTTP_PORT", 9999),
        _port(given, "FABIO_TCP_PORT", 7000),
        route_management=given.get("FABIO_ROUTE_MANAGEMENT", "").lower() in _TRUE,
    )


def _settings(given: Mapping[str, str], environment: Mapping[str, str]) -> NomadSettings:
    artifact_dir = given.get("ARTIFACT_DIR")
    return NomadSettings(
        driver=_driver(given),
        images=ImageSettings.from_environment(environment),
        scheduling=Scheduling(node_pool=given.get("NODE_POOL")),
        redis_volume=_volume(given.get("REDIS_VOLUME")),
        redis_password=given.get("REDIS_PASSWORD"),
        artifact_dir=Path(artifact_dir) if artifact_dir else None,
        artifact_url=given.get("ARTIFACT_URL"),
    )


def _driver(given: Mapping[str, str]) -> Driver:
    name, bin_dir = given.get("DRIVER", "docker"), given.get("BIN_DIR")
    if name == "docker":
        return DockerDriver()
    if name in ("exec", "raw_exec"):
        return ExecDriver(bin_dir) if name == "exec" else RawExecDriver(bin_dir)
    raise ContainerManagerError(f"CLIPPER_DRIVER is {name!r}: use docker, exec or raw_exec")


def _volume(name: str | None) -> HostVolume | DynamicVolume | None:
    if name is None:
        return None
    return DynamicVolume() if name == _DYNAMIC else HostVolume(name)


def _port(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:6]) < 65536):
        raise ContainerManagerError(f"CLIPPER_{name} is {text!r}: use a port from 1 to 65535")
    return int(text)

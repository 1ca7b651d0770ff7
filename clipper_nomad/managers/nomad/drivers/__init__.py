"""The task drivers, each with its own `config` stanza."""

from clipper_nomad.managers.nomad.drivers.base import Driver
from clipper_nomad.managers.nomad.drivers.docker import DockerDriver, RegistryAuth
from clipper_nomad.managers.nomad.drivers.exec import ExecDriver, RawExecDriver

__all__ = ["DockerDriver", "Driver", "ExecDriver", "RawExecDriver", "RegistryAuth"]

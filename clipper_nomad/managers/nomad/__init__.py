"""The Nomad manager: a cluster as jobs on Nomad, found through Consul and reached through Fabio."""

from clipper_nomad.jobspecs import (
    Affinity,
    Constraint,
    HostVolume,
    Scheduling,
    Spread,
    TaskResources,
    Timings,
)
from clipper_nomad.managers.nomad.clients.access import ConsulAccess
from clipper_nomad.managers.nomad.dns import DNS, ConsulDNS
from clipper_nomad.managers.nomad.drivers import DockerDriver, ExecDriver, RawExecDriver, RegistryAuth
from clipper_nomad.managers.nomad.load_balancer import FabioLoadBalancer, LoadBalancer, NoLoadBalancer
from clipper_nomad.managers.nomad.manager import NomadContainerManager
from clipper_nomad.managers.nomad.settings import DynamicVolume, NomadSettings

__all__ = [
    "DNS",
    "Affinity",
    "Constraint",
    "ConsulAccess",
    "ConsulDNS",
    "DockerDriver",
    "DynamicVolume",
    "ExecDriver",
    "FabioLoadBalancer",
    "HostVolume",
    "LoadBalancer",
    "NoLoadBalancer",
    "NomadContainerManager",
    "NomadSettings",
    "RawExecDriver",
    "RegistryAuth",
    "Scheduling",
    "Spread",
    "TaskResources",
    "Timings",
]

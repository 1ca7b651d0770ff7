"""The admin library: everything a data scientist imports."""

from importlib.metadata import version as _version

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import (
    BuildError,
    ClipperException,
    ClipperWarning,
    ContainerManagerError,
    DeploymentError,
    ManagementError,
    NotReachableError,
    NotRunningError,
    UnconnectedException,
)
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.docker import DockerContainerManager
from clipper_nomad.managers.local import LocalContainerManager
from clipper_nomad.managers.nomad import (
    ConsulDNS,
    DockerDriver,
    DynamicVolume,
    ExecDriver,
    FabioLoadBalancer,
    HostVolume,
    NoLoadBalancer,
    NomadContainerManager,
    NomadSettings,
    RawExecDriver,
    Scheduling,
)
from clipper_nomad.types import (
    Application,
    BuildSpec,
    ClusterSpec,
    DeployOptions,
    DeploySpec,
    Device,
    ModelRegistration,
    ModelVersion,
    ModelVersions,
    QueryFrontend,
    Resources,
)

__version__ = _version("clipper-nomad")

__all__ = [
    "Application",
    "BuildError",
    "BuildSpec",
    "ClipperConnection",
    "ClipperException",
    "ClipperWarning",
    "ClusterSpec",
    "ConsulDNS",
    "ContainerManager",
    "ContainerManagerError",
    "DeployOptions",
    "DeploySpec",
    "DeploymentError",
    "Device",
    "DockerContainerManager",
    "DockerDriver",
    "DynamicVolume",
    "ExecDriver",
    "FabioLoadBalancer",
    "HostVolume",
    "LocalContainerManager",
    "ManagementError",
    "ModelRegistration",
    "ModelVersion",
    "ModelVersions",
    "NoLoadBalancer",
    "NomadContainerManager",
    "NomadSettings",
    "NotReachableError",
    "NotRunningError",
    "QueryFrontend",
    "RawExecDriver",
    "Resources",
    "Scheduling",
    "UnconnectedException",
    "__version__",
]

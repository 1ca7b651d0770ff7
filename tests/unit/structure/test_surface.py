"""The names that scripts, shells and distributions use stay: imports, commands, groups of entry points."""

from __future__ import annotations

import importlib
import tomllib
from importlib.metadata import entry_points

import pytest

import clipper_container.kinds.loading
import clipper_frontend.selection.table
import clipper_nomad
import clipper_nomad.managers.table
from tests.support.paths import REPOSITORY

#: What the first version offered; more may come.
EXPORTED = """
Application BuildError BuildSpec ClipperConnection ClipperException ClipperWarning ClusterSpec ConsulDNS
ContainerManager ContainerManagerError DeploySpec DeploymentError Device DockerContainerManager DockerDriver
DynamicVolume ExecDriver FabioLoadBalancer HostVolume LocalContainerManager ManagementError ModelRegistration
ModelVersion ModelVersions NoLoadBalancer NomadContainerManager NomadSettings NotReachableError QueryFrontend
RawExecDriver Resources UnconnectedException __version__
"""
COMMANDS = {
    "clipper-nomad": "clipper_nomad.cli:main",
    "clipper-query-frontend": "clipper_frontend.query.main:main",
    "clipper-management-frontend": "clipper_frontend.management.main:main",
    "clipper-container": "clipper_container.main:main",
}


def test_what_scripts_import_is_there() -> None:
    assert set(EXPORTED.split()) <= set(clipper_nomad.__all__)
    assert all(hasattr(clipper_nomad, name) for name in clipper_nomad.__all__)


@pytest.mark.parametrize(
    "module", ["clipper_container.metrics", "clipper_nomad.deployers.python", "clipper_nomad.metrics"]
)
def test_modules_that_scripts_import_are_there(module: str) -> None:
    assert importlib.import_module(module).__doc__


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_are_there(name: str) -> None:
    (found,) = {point.value for point in entry_points(group="console_scripts", name=name)}
    assert found == COMMANDS[name]
    assert callable(next(iter(entry_points(group="console_scripts", name=name))).load())


def test_there_are_no_other_commands() -> None:
    projects = [REPOSITORY / "pyproject.toml", REPOSITORY / "containers" / "python" / "pyproject.toml"]
    scripts = [tomllib.loads(path.read_text())["project"]["scripts"] for path in projects]
    assert {name: target for each in scripts for name, target in each.items()} == COMMANDS


def test_other_distributions_add_to_these_groups() -> None:
    assert clipper_nomad.managers.table.ENTRY_POINT_GROUP == "clipper_nomad.managers"
    assert clipper_frontend.selection.table.ENTRY_POINT_GROUP == "clipper_nomad.selection_policies"
    assert clipper_container.kinds.loading.ENTRY_POINT_GROUP == "clipper_container.kinds"
    managers = {point.name for point in entry_points(group="clipper_nomad.managers")}
    assert {"local", "docker", "nomad"} <= managers

"""The command line with a manager of another package that is installed, found by its entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clipper_nomad.managers.ports import choose_free
from tests.support.frontends.redis_server import RedisServer
from tests.support.paths import REPOSITORY
from tests.support.processes import ManagementFrontend

_POINTS = """\
[clipper_nomad.managers]
paper = tests.support.paper_manager:PaperManager
elsewhere = somebodys_managers:Elsewhere
unloadable = somebodys_managers:Nowhere
"""
_MODULE = """\
import os
from clipper_nomad.testing import RecordingManager

class Elsewhere(RecordingManager):
    @classmethod
    def from_cli(cls, options):
        return cls(os.environ["MANAGEMENT"], os.environ["REDIS"], cluster_name=options.cluster_name)
"""


class Installed:
    """`clipper-nomad` where a package with managers is installed beside."""

    def __init__(self, site: Path) -> None:
        (site / "somebodys_managers.py").write_text(_MODULE)
        info = site / "somebodys_managers-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-managers\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(_POINTS)
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{site}:{REPOSITORY}",
            "CLIPPER_STATE_DIR": str(site / "papers"),
            "COLUMNS": "200",
        }

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command, require its exit code, and return all that it printed."""
        command = [sys.executable, "-m", "clipper_nomad.cli", *arguments]
        result = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_it_starts_and_stops_clusters(installed: Installed, tmp_path: Path) -> None:
    query_port, management_port = map(str, choose_free("127.0.0.1", 2))
    ports = ("--query-port", query_port, "--management-port", management_port)
    paper = ("--manager", "paper", "--cluster-name", "iris")
    assert f"127.0.0.1:{query_port}" in installed.run(*paper, "start", *ports)
    assert "iris-management-frontend.log" in installed.run(*paper, "logs", "--to", str(tmp_path / "logs"))
    installed.run(*paper, "stop")
    assert "there is none" in installed.run(*paper, "stop", code=1)


def test_it_serves_all_other_commands(
    installed: Installed, management: ManagementFrontend, redis_server: RedisServer, tmp_path: Path
) -> None:
    installed.environment |= {"MANAGEMENT": management.rest, "REDIS": redis_server.address}
    elsewhere = ("--manager", "elsewhere", "--cluster-name", "iris")
    folder = tmp_path / "model"
    folder.mkdir()
    installed.run(*elsewhere, "apps", "add", "app", "--input-type", "doubles")
    assert '"app"' in installed.run(*elsewhere, "apps", "list", "--json")
    installed.run(*elsewhere, "models", "deploy", "sums", "1", str(folder), "--input-type", "doubles")
    assert "iris" in installed.run(*elsewhere, "status")


def test_it_is_among_the_choices(installed: Installed) -> None:
    choices = "local, docker, nomad, elsewhere, paper, unloadable"
    assert choices in " ".join(installed.run("--help").replace("│", " ").split())
    assert f"use {choices}" in installed.run("--manager", "absent", "stop", code=2)


def test_one_that_cannot_be_loaded_is_an_error_and_no_trace(installed: Installed) -> None:
    output = installed.run("--manager", "unloadable", "stop", code=1)
    assert output.startswith("error: Could not load the manager 'unloadable'")
    assert "Traceback" not in output

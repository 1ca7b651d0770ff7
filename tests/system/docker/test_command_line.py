"""A cluster of containers from a terminal: started, shown, stopped with its state kept, and removed."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.contract.harness import DockerHarness
from tests.support.processes import BIN

pytestmark = pytest.mark.timeout(180)


def test_a_cluster_is_started_shown_and_stopped(harness: DockerHarness) -> None:
    environment = {
        **os.environ,
        "CLIPPER_MANAGER": "docker",
        "CLIPPER_CLUSTER_NAME": harness.cluster_name,
        **{f"{setting.upper()}": str(port) for setting, port in harness.ports.items()},
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "clipper-nomad"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run("start", "--frontends", "2").returncode == 0
    status = json.loads(run("status", "--json").stdout)
    assert status["query_address"] == f"localhost:{harness.wanted_port[0]}"
    assert len(status["query_frontends"]) == 2
    assert run("stop", "--keep-state").returncode == 0
    assert harness.parts() == {}
    refused = run("status")
    assert refused.returncode == 1
    assert "its state is there" in refused.stderr
    # A cluster that does not run is removed as well.
    assert run("stop").returncode == 0
    assert harness.is_gone()
    assert run("stop").returncode == 1

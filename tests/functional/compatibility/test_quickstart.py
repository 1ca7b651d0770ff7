"""Clipper's quickstart, as users' scripts have it, with other imports and another container manager."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

SCRIPT = """
from clipper_nomad import ClipperConnection, LocalContainerManager
from clipper_nomad.deployers import python as python_deployer

clipper_conn = ClipperConnection(LocalContainerManager(
    cluster_name="quickstart", query_port={0}, management_port={1}, rpc_port={2}, redis_port={3}))
clipper_conn.start_clipper()
clipper_conn.register_application(
    name="hello-world", input_type="doubles", default_output="-1.0", slo_micros=100000)
print("applications:", clipper_conn.get_all_apps())

def feature_sum(xs):
    return [str(sum(x)) for x in xs]

python_deployer.deploy_python_closure(
    clipper_conn, name="sum-model", version=1, input_type="doubles", func=feature_sum)
clipper_conn.link_model_to_app(app_name="hello-world", model_name="sum-model")

import requests, json
import numpy as np

headers = {{"Content-type": "application/json"}}
url = "http://{{}}/hello-world/predict".format(clipper_conn.get_query_addr())
inputs = list(np.arange(10.0))
print("answer:", requests.post(url, headers=headers, data=json.dumps({{"input": inputs}})).json())
batch = [list(np.arange(10.0) + n) for n in range(2)]
print("batch:", requests.post(url, headers=headers, data=json.dumps({{"input_batch": batch}})).json())
clipper_conn.stop_all()
"""

CLEAN_UP = """
from clipper_nomad import ClipperConnection, LocalContainerManager

clipper_conn = ClipperConnection(LocalContainerManager(cluster_name="quickstart"))
clipper_conn.connect()
clipper_conn.stop_all(graceful=False)
"""


def free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Run a script and return its output; what a failed one leaves running is stopped in the end."""
    environment = {**os.environ, "CLIPPER_STATE_DIR": str(tmp_path / "state")}
    failed = []

    def run_script(text: str) -> str:
        script = tmp_path / "script.py"
        script.write_text(text)
        finished = subprocess.run(
            [sys.executable, script],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            failed.append(script)
        assert finished.returncode == 0, finished.stdout
        return finished.stdout

    yield run_script
    if failed:
        subprocess.run([sys.executable, "-c", CLEAN_UP], cwd=tmp_path, env=environment, check=False)


@pytest.mark.timeout(240)
def test_the_quickstart_runs_twice_in_a_row(run: Callable[[str], str]) -> None:
    script = SCRIPT.format(*free_ports(4))
    for _ in range(2):
        output = run(script)
        assert "applications: ['hello-world']" in output
        assert "'output': 45.0, 'default': False" in output
        assert output.count("'default': False") == 3

"""Clipper's quickstart, as users' scripts have it, with other imports and another container manager."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

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


#: Runs the first page's cells in one process, as a notebook does: each cell has a file name of its own,
#: made of its text.
NOTEBOOK = """
import hashlib, linecache, logging, sys

logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)

def run(*cells):
    for cell in cells:
        name = "/tmp/kernel/" + hashlib.sha256(cell.encode()).hexdigest()
        linecache.cache[name] = len(cell), None, cell.splitlines(True), name
        exec(compile(cell, name, "exec"), globals())

CELLS = {0!r}
run(*CELLS)
print("== again")
run(*CELLS)
print("== edited")
try:
    run(*[cell.replace("sum(x)", "max(x)") for cell in CELLS])
except Exception as error:
    print("refused:", type(error).__name__, error)
clipper_conn.stop_all()
"""


@pytest.mark.timeout(240)
def test_the_first_pages_notebook_runs_twice_and_an_edited_function_needs_a_version(
    run: Callable[[str], str],
) -> None:
    page = (REPOSITORY / "README.md").read_text()
    code = page.partition("## In a notebook")[2].partition("```python\n")[2].partition("```")[0]
    ports = "query_port={}, management_port={}, rpc_port={}, redis_port={}".format(*free_ports(4))
    manager = f"LocalContainerManager('quickstart', {ports})"
    cells = code.replace("LocalContainerManager()", manager).split("\n\n")
    assert len(cells) > 3
    first, again, edited = re.split("== .*", run(NOTEBOOK.format(cells)))
    assert "Model version sum-model:1 is ready and current" in first
    assert "Application hello-world is registered already, and nothing differs" in again
    assert "Model version sum-model:1 is deployed already, and nothing differs" in again
    assert "refused:" not in again
    assert "Model version sum-model:1 is registered already, and a version never changes" in edited
    assert "Use another version" in edited

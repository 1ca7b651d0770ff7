"""The first page's notebook in a real Jupyter kernel, which is interrupted and restarted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.managers.local import LocalContainerManager, leftovers
from clipper_nomad.managers.ports import choose_free
from clipper_nomad.types import ModelVersion
from tests.support.notebooks import CellError, Notebook, read_first_page
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(400)

MANAGER = "LocalContainerManager()"
ASK = """
import requests
def ask(app):
    url = f"http://{clipper_conn.get_query_addr()}/{app}/predict"
    return requests.post(url, json={"input": [1.1, 2.2, 3.3]}).json()
print(ask("hello-world")["output"], ask("hello-world")["default"])
"""
SLOW = """
class Slow:
    def __call__(self, xs):
        return [0 for _ in xs]
    def __getstate__(self):
        return {"takes": 600}
    def __setstate__(self, state):
        import time
        time.sleep(state["takes"])
python_deployer.deploy_python_closure(
    clipper_conn, name="cached-model", version=1, input_type="doubles", func=Slow()
)
"""
CACHED = """
from functools import lru_cache
@lru_cache
def get_model():
    return {"factor": 10}
def predict(xs):
    return [get_model()["factor"] * len(x) for x in xs]
python_deployer.create_endpoint(clipper_conn, "cached-model", "doubles", predict)
print(ask("cached-model")["output"])
"""
SHELL = """
def predict(xs):
    %time ys = [sum(x) for x in xs]
    return ys
python_deployer.deploy_python_closure(
    clipper_conn, name="shell-model", version=1, input_type="doubles", func=predict
)
"""
CONNECT = """
from clipper_nomad import ClipperConnection, LocalContainerManager
clipper_conn = ClipperConnection(LocalContainerManager())
clipper_conn.connect()
"""


class Place:
    """A state directory and ports for the notebook's cluster, and the notebook's cells there."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        ports = ("query_port", "management_port", "rpc_port", "redis_port")
        self.ports: dict[str, Any] = dict(zip(ports, choose_free("127.0.0.1", len(ports)), strict=True))
        arguments = ", ".join(f"{name}={port}" for name, port in self.ports.items())
        cells = read_first_page()
        assert sum(cell.count(MANAGER) for cell in cells) == 1
        self.cells = [cell.replace(MANAGER, f"LocalContainerManager({arguments})") for cell in cells]

    def make_manager(self) -> LocalContainerManager:
        return LocalContainerManager(state_dir=self.state, **self.ports)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.make_manager().remove_leftovers()


@pytest.fixture
def notebook(tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    # Jupyter warns unless its folders are chosen.
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    with Notebook(tmp_path, {"CLIPPER_STATE_DIR": str(place.state)}) as started:
        yield started


def test_the_first_pages_notebook_is_run_twice_interrupted_and_restarted(
    notebook: Notebook, place: Place
) -> None:
    for _ in range(2):
        for cell in place.cells:
            notebook.run(cell)
        assert notebook.run(ASK) == "6.6 False\n"
    manager = place.make_manager()
    manager.connect()
    sums, cached = ModelVersion("sum-model", "1"), ModelVersion("cached-model", "1")
    deploying = notebook.begin(SLOW)
    eventually(lambda: cached in manager.get_replicas(), "the deployment has begun")
    notebook.interrupt()
    with pytest.raises(CellError) as interrupted:
        notebook.finish(deploying)
    assert interrupted.value.name == "KeyboardInterrupt"
    assert manager.get_replicas() == {sums: 1}

    # The kernel goes on, and the same version can be deployed.
    assert notebook.run(ASK) == "6.6 False\n"
    assert notebook.run(CACHED) == "30\n"
    with pytest.raises(CellError, match=r"refers to `get_ipython`, the notebook shell: .*leave magics"):
        notebook.run(SHELL)

    notebook.restart()
    notebook.run(CONNECT)
    assert notebook.run(ASK) == "6.6 False\n"
    models = notebook.run("print(sorted(clipper_conn.get_all_models()))")
    assert models == "['cached-model:1', 'sum-model:1']\n"
    # Another kernel runs all cells again: nothing differs.
    for cell in place.cells:
        notebook.run(cell)
    assert notebook.run(ASK) == "6.6 False\n"
    assert manager.get_replicas() == {sums: 1, cached: 1}
    notebook.run("clipper_conn.stop_all()")
    assert leftovers.find(place.state / "default-cluster") == []


CLASSES = """
import enum
class Kind(enum.Enum):
    SMALL = 1
class Model:
    def predict(self, xs):
        return [Kind.SMALL.name for _ in xs]
python_deployer.deploy_python_closure(
    clipper_conn, name="class-model", version=1, input_type="doubles", func=Model().predict
)
"""


OWN_PROCESSES = """
import multiprocessing
from pathlib import Path
Path("vocab.json").write_text("[10]")
class Result:
    def __init__(self, value):
        self.value = value
def work(x):
    import json
    return Result(json.load(open("vocab.json"))[0] * len(x))
def predict(xs):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return [each.value for each in pool.map(work, xs)]
python_deployer.create_endpoint(
    clipper_conn, "own-processes", "doubles", predict, slo_micros=20_000_000, files=["vocab.json"]
)
print(ask("own-processes")["output"])
"""


def test_a_replica_runs_the_notebooks_functions_in_processes_of_its_own_and_finds_its_files(
    notebook: Notebook, place: Place
) -> None:
    for cell in place.cells:
        notebook.run(cell)
    notebook.run(ASK)
    assert notebook.run(OWN_PROCESSES) == "30\n"


def test_a_cell_that_defines_classes_and_deploys_them_can_be_run_again(
    notebook: Notebook, place: Place
) -> None:
    for cell in place.cells[:2]:
        notebook.run(cell)
    notebook.run(CLASSES)
    notebook.run(CLASSES)
    with pytest.raises(CellError, match=r"class-model:1 is registered already.*function.*differ"):
        notebook.run(CLASSES.replace("SMALL", "LARGE"))
    notebook.run("clipper_conn.stop_all()")

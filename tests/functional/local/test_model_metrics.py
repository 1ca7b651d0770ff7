"""Metrics of model code on a local cluster, in an environment that has the model runtime alone."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from typing import Any

import pytest

from clipper_nomad import ClipperConnection
from clipper_nomad.deployers import python as python_deployer
from tests.support.local_clusters import LocalCluster
from tests.support.metric_models import by_import, by_module, by_name
from tests.support.paths import REPOSITORY


@pytest.fixture(scope="module")
def isolated_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return an interpreter with all requirements and clipper_container, but without clipper_nomad."""
    environment = tmp_path_factory.mktemp("isolated") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site_packages,) = (environment / "lib").glob("python*/site-packages")
    paths = [REPOSITORY / "containers" / "python", sysconfig.get_path("purelib")]
    (site_packages / "isolated.pth").write_text("".join(f"{path}\n" for path in paths))
    python = str(environment / "bin" / "python")
    command = [python, "-c", "import clipper_nomad.metrics"]
    missing = subprocess.run(command, cwd=environment, capture_output=True, check=False)
    assert b"No module named 'clipper_nomad" in missing.stderr
    return python


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with LocalCluster(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def clipper(cluster: LocalCluster, isolated_python: str) -> ClipperConnection:
    connection = ClipperConnection(cluster.make_manager(python=isolated_python))
    connection.start_clipper()
    return connection


@pytest.mark.parametrize(
    ("name", "function", "output", "sample"),
    [
        ("by-module", by_module, 0.0, "rows_by_module_total 1.0"),
        ("by-import", by_import(), 1.0, "rows_by_import 1.0"),
        ("by-name", by_name, 2.0, 'rows_by_name_bucket{le="1.0"} 1.0'),
    ],
)
def test_a_model_reports_metrics_where_the_admin_library_is_missing(
    cluster: LocalCluster, clipper: ClipperConnection, name: str, function: Any, output: float, sample: str
) -> None:
    python_deployer.create_endpoint(clipper, name, "doubles", function)
    answer = post(clipper.get_query_addr(), f"/{name}/predict", b'{"input": [1.0]}')
    assert f'"output":{output}' in answer.replace(" ", "")
    assert f"\n{sample}\n" in scrape(cluster, name)


def post(address: str, path: str, body: bytes) -> str:
    with contextlib.closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request("POST", path, body)
        return connection.getresponse().read().decode()


def scrape(cluster: LocalCluster, model_name: str) -> str:
    record = cluster.state.read()
    assert record is not None
    (port,) = (each.replicas[0].admin_port for each in record.models if each.model.name == model_name)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

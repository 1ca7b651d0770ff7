"""Models of R's, through a real cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from clipper_nomad import ClipperConnection
from clipper_nomad.deployers import r as r_deployer
from tests.support.frameworks.checks import FrameworkChecks
from tests.support.frameworks.r import R, find_child, require_r
from tests.support.local_clusters import LocalCluster
from tests.support.proc import stat_fields
from tests.support.processes import eventually

_SLO_MICROS = 30_000_000
_TIMEOUT_S = 60
_SHOUT = """
shout <- function(text) switch(text, end = quit(), error = stop("not this one"), toupper(text))
save_model(function(inputs) lapply(inputs, shout), "a", "shout")
"""


@pytest.fixture(scope="class")
def _r() -> None:
    require_r()


@pytest.mark.usefixtures("_r")
class TestR(FrameworkChecks):
    """A function with its globals, which prints, and then a fitted model."""

    environment = "light"
    case = "r"
    wrong_input = "object 'V3' not found"
    broken = "unknown input format"


# -- an endpoint of strings, whose R process ends in several ways --------------------------------------------


@pytest.fixture(scope="module")
def shouting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster with the endpoint `shout`."""
    require_r()
    folder = tmp_path_factory.mktemp("r")
    R(folder).save(_SHOUT, folder)
    with LocalCluster(tmp_path_factory.mktemp("state")) as cluster:
        connection = ClipperConnection(cluster.make_manager())
        connection.start_clipper()
        r_deployer.create_endpoint(
            connection, "shout", "strings", folder / "shout", slo_micros=_SLO_MICROS, batch_size=8
        )
        yield cluster


def ask(cluster: LocalCluster, body: dict[str, Any]) -> Any:
    url = f"http://127.0.0.1:{cluster.ports['query_port']}/shout/predict"
    return requests.post(url, json=body, timeout=_TIMEOUT_S).json()


def test_an_error_and_an_end_are_defaults_of_their_inputs_alone(shouting: LocalCluster) -> None:
    answers = ask(shouting, {"input_batch": ["a", "error", "end", "ü"]})["batch_predictions"]
    assert [each["default"] for each in answers] == [False, True, True, False]
    assert [answers[0]["output"], answers[3]["output"]] == ["A", "Ü"]
    assert [each["default_reason"] for each in answers[1:3]] == ["model_error"] * 2
    assert answers[1]["default_detail"] == "RError: not this one"
    assert "the R process ended itself with exit status 0" in answers[2]["default_detail"]


def test_a_killed_process_is_replaced(shouting: LocalCluster) -> None:
    (replica,) = (name for name in shouting.processes() if name.startswith("model."))
    child = find_child(find_child(shouting.pid(replica)))
    os.kill(child, signal.SIGKILL)
    # Its parent finds out with the next query. What it gets before it has ended is lost with it.
    eventually(lambda: stat_fields(child)[0] == "Z", "R to end")
    answer = ask(shouting, {"input": "b"})
    assert (answer["output"], answer["default"]) == ("B", False)

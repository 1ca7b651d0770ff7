"""The options of a framework's deployer: its function, device, sample input and warm-up."""

from __future__ import annotations

import json

import pytest

from clipper_nomad.types import ClusterSpec
from tests.support.frameworks.environments import provide_environment
from tests.support.local_clusters import LocalCluster

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The finding of each option, and the log of the replica that was warmed up."""
    python = provide_environment("light", tmp_path_factory.mktemp("python"))
    with LocalCluster(tmp_path_factory.mktemp("state")) as cluster:
        cluster.make_manager().start_clipper(ClusterSpec())
        done = python.run("tests.functional.frameworks.cases.options", str(cluster.state_root), timeout_s=600)
        assert done.returncode == 0, done.stdout + done.stderr
        lines = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
        (log,) = cluster.state.logs_dir.glob("model.warm.1.*.log")
        return {**lines, "log": log.read_text()}


def test_a_function_gets_the_session_and_answers_for_it(seen: dict[str, str]) -> None:
    assert seen["function"] == "tensor(float)"


def test_a_device_that_is_not_there_fails_the_deployment(seen: dict[str, str]) -> None:
    assert "device='cuda', and ONNX Runtime finds no CUDA device here" in seen["cuda"]
    assert seen["device"] == "ClipperException: device is 'tpu': use one of 'auto', 'cpu', 'cuda'."


def test_a_sample_input_that_the_model_refuses_fails_the_deployment_in_the_frameworks_words(
    seen: dict[str, str],
) -> None:
    assert "the model failed on the sample input" in seen["sample"]
    assert "Got invalid dimensions" in seen["sample"]


def test_without_warm_up_loading_is_all_that_is_asked(seen: dict[str, str]) -> None:
    assert json.loads(seen["cold"]) == pytest.approx([6], abs=1e-4)


def test_a_function_that_does_not_take_the_model_is_refused(seen: dict[str, str]) -> None:
    assert "cannot be called with (model, inputs)" in seen["arguments"]


def test_an_unknown_option_is_refused_with_those_that_there_are(seen: dict[str, str]) -> None:
    assert seen["unknown"].startswith("TypeError: 'warm' is not an option of a deployment: use one of")
    assert "warm_up, device" in seen["unknown"]


def test_a_model_that_declares_its_input_has_answered_before_its_replica_is_ready(
    seen: dict[str, str],
) -> None:
    log = seen["log"]
    assert log.index("the model answered zeros, which warm it up") < log.index("serving warm:1")
    assert "1 compute thread, by CLIPPER_CPU_LIMIT" in log

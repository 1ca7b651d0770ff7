"""The demo, as `make demo` runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_nomad.managers.local import LocalContainerManager, leftovers

DEMO = [sys.executable, "-m", "clipper_nomad.cli", "demo"]
# A shell that runs tests in the background makes them ignore SIGINT; their child processes inherit that.
_HEEDING_INTERRUPTS = ["env", "--default-signal=INT"]


# The demo imports scikit-learn and starts a cluster, which takes minutes when the machine is busy.
pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    yield {**os.environ, "CLIPPER_STATE_DIR": str(tmp_path), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    LocalContainerManager("demo", state_dir=tmp_path).remove_leftovers()


def test_the_demo_shows_that_every_answer_is_right(environment: dict[str, str], tmp_path: Path) -> None:
    result = subprocess.run(DEMO, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "45 of 45 answers are those of version 1, 0 defaults" in result.stdout
    assert re.search(r"p50 [\d.]+ ms, p99 [\d.]+ ms", result.stdout)
    during = re.search(r"(\d+) of (\d+) answers are those of version 1 or 2, 0 defaults", result.stdout)
    assert during is not None
    assert during[1] == during[2]
    assert int(during[1]) > 100
    assert "45 of 45 answers are those of version 2, 0 defaults" in result.stdout
    assert "Rolled back" in result.stdout
    assert not leftovers.find(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_its_cluster(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [*_HEEDING_INTERRUPTS, *DEMO],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        printed = []
        for line in demo.stdout:
            printed.append(line)
            if "Started a cluster" in line:
                break
        else:
            pytest.fail(f"the demo ended before its cluster had started:\n{''.join(printed)}")
        assert leftovers.find(tmp_path / "demo")
        demo.send_signal(number)
        demo.communicate()
    assert demo.returncode != 0
    assert not leftovers.find(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()

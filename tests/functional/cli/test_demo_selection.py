"""The demo of model selection, with few queries; and its models and its plot by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from clipper_nomad.demo.selection import plot
from clipper_nomad.demo.selection.losses import Outcome
from clipper_nomad.demo.selection.models import train
from clipper_nomad.demo.selection.stream import make_stream
from clipper_nomad.errors import ClipperException
from clipper_nomad.managers.local import LocalContainerManager, leftovers

DEMO = [sys.executable, "-m", "clipper_nomad.cli", "demo"]
ROUNDS = 60
# The models' errors are shares of so many queries: enough to be near their limits.
MEASURED_ROUNDS = 600
POLICIES = {"epsilon_greedy", "exp3", "thompson", "exp4", "majority_vote"}
OUTCOME = Outcome({"exp3": [0, 1, 0], "policy of another name": [1, 1, 1]}, {"a": [1, 0, 0], "b": [1, 1, 0]})
_PNG = b"\x89PNG"
# A module whose import fails, in place of the installed one.
_WITHOUT_MATPLOTLIB = (
    "import sys; sys.modules['matplotlib'] = None; from clipper_nomad.cli.main import main\nmain()"
)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    yield {**os.environ, "CLIPPER_STATE_DIR": str(tmp_path), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    LocalContainerManager("demo", state_dir=tmp_path).remove_leftovers()


def test_policies_and_models_are_compared_on_the_same_queries(
    environment: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "selection.png"
    path.write_text("an older one")
    command = [*DEMO, "--selection", "--rounds", str(ROUNDS), "--plot", str(path)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = _rows(result.stdout)
    assert rows.keys() > POLICIES
    assert len(rows) == len(POLICIES) + 5
    best = min(int(row[0]) for name, row in rows.items() if name not in POLICIES)
    for name in POLICIES:
        wrong, against = rows[name][:2]
        assert 0 < int(wrong) < ROUNDS
        assert int(against) == int(wrong) - best
    # Before anything breaks, a vote of five is better than the worst of them alone.
    assert float(rows["majority_vote"][2].rstrip("%")) < float(rows["bayes-top"][2].rstrip("%"))
    assert "Models answered all" in result.stdout
    assert path.read_bytes().startswith(_PNG)
    _assert_nothing_is_left(tmp_path)


def _rows(output: str) -> dict[str, list[str]]:
    """Return the table's cells by the name in the first."""
    return {
        cells[0]: cells[1:]
        for line in output.splitlines()
        if (cells := [cell.strip() for cell in line.strip("│").split("│")]) and len(cells) == 6
    }


def _assert_nothing_is_left(state_dir: Path) -> None:
    assert not leftovers.find(state_dir / "demo")
    assert not (state_dir / "demo").exists()


def test_a_demo_that_is_ended_among_queries_stops_its_cluster(
    environment: dict[str, str], tmp_path: Path
) -> None:
    command = [*DEMO, "--selection", "--plot", str(tmp_path / "plot.png")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        assert any("queries go to" in line for line in demo.stdout)
        demo.terminate()
        demo.communicate()
    assert demo.returncode not in (0, -signal.SIGTERM)
    _assert_nothing_is_left(tmp_path)


def test_a_plot_that_is_asked_for_needs_matplotlib(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WITHOUT_MATPLOTLIB, "demo", "--selection"]
    command += ["--plot", str(tmp_path / "plot.png")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "A plot needs matplotlib: install it with `pip install clipper-nomad[demo]`" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--rounds", "60"], 2, "go with --selection"),
        (["--selection", "--rounds", "3"], 2, "--rounds"),
        (["--selection", "--plot", "plot.txt"], 1, "ends in .png, .svg, .pdf"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_a_cluster_starts(
    environment: dict[str, str], tmp_path: Path, arguments: list[str], code: int, text: str
) -> None:
    result = subprocess.run([*DEMO, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == code
    assert text in result.stderr
    assert not list(tmp_path.iterdir())


def test_three_models_get_worse_while_pictures_are_inverted_and_two_stay_as_they_are() -> None:
    trained = train()
    stream = make_stream(trained, MEASURED_ROUNDS)
    inverted = stream.inverted
    before, broken, after = (
        {
            name: np.mean(predict(stream.pictures)[part] != np.asarray(stream.labels)[part])
            for name, predict in trained.models.items()
        }
        for part in (slice(inverted.start), slice(inverted.start, inverted.stop), slice(inverted.stop, None))
    )
    assert len(before) == 5
    assert {name for name in before if broken[name] > before[name] + 0.5} == set(list(before)[:3])
    assert all(abs(after[name] - before[name]) < 0.1 for name in before)
    assert all(abs(broken[name] - before[name]) < 0.1 for name in list(before)[3:])
    assert min(before, key=before.__getitem__) == min(after, key=after.__getitem__) == "svm-whole"
    assert min(broken, key=broken.__getitem__) == "bayes-upper"


@pytest.mark.parametrize("name", ["plot.PNG", "plot.svg", "plot.pdf"])
def test_a_plot_is_drawn_in_place_of_what_was_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("an older one")
    plot.check(path)
    outcome = Outcome({"exp3": [0, 1, 0], "policy of another name": [1, 1, 1]}, OUTCOME.models)
    plot.draw(outcome, range(1, 2), path)
    assert path.stat().st_size > 1000


def test_a_plot_that_cannot_be_written_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "plot.svg"
    with pytest.raises(ClipperException, match=r"Could not write the plot to .*plot\.svg: No such file"):
        plot.draw(OUTCOME, range(1, 2), path)

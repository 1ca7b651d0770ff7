"""The demo of model selection: its queries, how losses add up, and which plots are refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from clipper_nomad.demo.selection import plot
from clipper_nomad.demo.selection.losses import Outcome, cumulative, recent_share, share
from clipper_nomad.demo.selection.models import LOWER_HALF, UPPER_HALF, Trained
from clipper_nomad.demo.selection.script import show_plot
from clipper_nomad.demo.selection.stream import inverted_rounds, make_stream, with_inverted
from clipper_nomad.errors import ClipperException

ROUNDS = 600
OUTCOME = Outcome(policies={"p": [0, 1, 0, 0]}, models={"a": [1, 1, 0, 0], "b": [0, 0, 1, 1], "c": [1] * 4})


def test_three_tenths_of_the_queries_are_inverted() -> None:
    assert inverted_rounds(2250) == range(675, 1350)
    assert inverted_rounds(33) == range(9, 19)


def test_an_inverted_picture_is_so_in_its_lower_half_and_all_else_stays() -> None:
    pictures = np.full((6, 64), 3.0)
    inverted = with_inverted(pictures, range(2, 4))
    assert (inverted[2:4, LOWER_HALF] == 13.0).all()
    assert (inverted[2:4, UPPER_HALF] == 3.0).all()
    assert (inverted[:2] == 3.0).all()
    assert (inverted[4:] == 3.0).all()
    assert (pictures == 3.0).all(), "those that were given stay as they are"


def test_the_queries_are_the_same_each_time_and_labels_are_those_of_their_pictures() -> None:
    # Each picture tells its label, whatever the noise.
    labels = np.arange(10)
    trained = Trained({}, np.repeat(labels[:, None] * 1000.0, 64, axis=1), labels)
    stream, again = make_stream(trained, ROUNDS), make_stream(trained, ROUNDS)
    assert (stream.pictures == again.pictures).all()
    assert stream.labels == again.labels == np.rint(stream.pictures[:, 0] / 1000).tolist()
    assert set(stream.labels) == set(range(10))
    assert len(np.unique(stream.pictures, axis=0)) == len(stream) == ROUNDS


def test_losses_add_up() -> None:
    assert cumulative([1, 0, 1, 1]).tolist() == [1, 1, 2, 3]
    assert cumulative([]).tolist() == []
    assert (share([1, 0, 1, 1]), share([])) == (0.75, 0.0)


def test_recent_losses_are_those_of_the_last_rounds() -> None:
    assert recent_share([1, 1, 0, 0, 1], 2).tolist() == [1.0, 1.0, 0.5, 0.0, 0.5]
    assert recent_share([1, 0], 10).tolist() == [1.0, 0.5]


def test_the_best_model_is_that_with_the_least_loss_in_the_end() -> None:
    assert OUTCOME.best_model == "a", "the first of equals"
    assert OUTCOME.excess("p") == -1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plot.txt", r"Could not draw .*plot\.txt: use .*\.png, \.svg, \.pdf"),
        ("nowhere/plot.png", "there is no folder .*nowhere"),
        ("folder.png", r"folder\.png: it is a folder"),
    ],
)
def test_a_plot_that_cannot_be_drawn_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ClipperException, match=text):
        plot.check(tmp_path / name)


def test_without_matplotlib_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert plot.missing() == ""
    plot.check(tmp_path / "plot.png")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ClipperException, match=r"matplotlib: install it with `pip install clipper-nomad"):
        plot.check(tmp_path / "plot.png")


def test_without_matplotlib_and_a_wanted_plot_a_word_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    show_plot(console, OUTCOME, range(1, 2), tmp_path / "plot.png")
    assert "No plot was drawn. A plot needs matplotlib" in shown.getvalue()
    assert not list(tmp_path.iterdir())

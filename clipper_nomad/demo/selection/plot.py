"""The plot: the losses of each policy up to each query, and its recent share of wrong answers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipper_nomad.demo.selection.losses import Losses, Outcome, cumulative, recent_share
from clipper_nomad.errors import ClipperException

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg", ".pdf")
#: By order of the policies; marks distinguish lines in print without colours.
_LINES = (("#d95f02", "o"), ("#e6ab02", "s"), ("#7570b3", "^"), ("#1b9e77", "D"), ("#e7298a", "v"))
_MARKS_PER_LINE = 12
_BEST, _OTHER, _SHADE, _NOTE = "#202124", "#9aa0a6", "#eceff1", "#5f6368"
#: The rounds that "lately" means, as a share of all.
_WINDOW_SHARE = 1 / 15


def missing() -> str:
    """Return what to install if plots cannot be drawn; empty if they can."""
    if importlib.util.find_spec("matplotlib"):
        return ""
    return "A plot needs matplotlib: install it with `pip install clipper-nomad[demo]`."


def check(path: Path) -> None:
    """Raise ClipperException if no plot can be drawn into `path`; an existing file is replaced."""
    if path.suffix.lower() not in SUFFIXES:
        raise ClipperException(
            f"Could not draw a plot into {path}: use a file name that ends in {', '.join(SUFFIXES)}."
        )
    if path.is_dir():
        raise ClipperException(f"Could not draw a plot into {path}: it is a folder. Give a file in it.")
    if not path.absolute().parent.is_dir():
        raise ClipperException(
            f"Could not draw a plot into {path}: there is no folder {path.absolute().parent}. Make it first."
        )
    if text := missing():
        raise ClipperException(text)


def draw(outcome: Outcome, broken: range, path: Path) -> None:
    """Draw into `path`; check() must have passed. Raises ClipperException if it cannot be written."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, (total, recent) = plt.subplots(
        1, 2, figsize=(12, 4.8), width_ratios=(1.15, 1), layout="constrained", gridspec_kw={"wspace": 0.06}
    )
    rounds = len(outcome.models[outcome.best_model])
    window = max(round(rounds * _WINDOW_SHARE), 1)
    _draw_curves(total, outcome, cumulative, 0)
    total.set_ylabel("cumulative loss (wrong answers so far)")
    _draw_curves(recent, outcome, lambda losses: 100 * recent_share(losses, window), window - 1)
    recent.set_ylabel(f"share of wrong ones in the last {window} answers (%)")
    for axes in (total, recent):
        _draw_frame(axes, rounds, broken)
    figure.legend(*total.get_legend_handles_labels(), loc="outside right center", frameon=False)
    try:
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise ClipperException(f"Could not write the plot to {path}: {error.strerror}.") from error
    finally:
        plt.close(figure)


def _draw_frame(axes: Axes, rounds: int, broken: range) -> None:
    """Draw axes, and mark the rounds in which models are worse."""
    axes.axvspan(broken.start, broken.stop, color=_SHADE, zorder=0)
    axes.set_xlim(0, rounds)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("query number")
    axes.grid(visible=True, axis="y", color=_SHADE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.text(
        (broken.start + broken.stop) / 2,
        1.01,
        "three of the models are worse",
        transform=axes.get_xaxis_transform(),
        horizontalalignment="center",
        fontsize=9,
        color=_NOTE,
    )


def _draw_curves(axes: Axes, outcome: Outcome, curve: Callable[[Losses], Any], first: int) -> None:
    """Draw a curve of each policy's and each model's losses, from round `first` on."""

    def draw(losses: Losses, *line: str, **style: Any) -> None:
        axes.plot(range(first, len(losses)), curve(losses)[first:], *line, **style)

    for (name, losses), (colour, mark) in zip(outcome.policies.items(), cycle(_LINES), strict=False):
        every = max(len(losses) // _MARKS_PER_LINE, 1)
        draw(losses, color=colour, marker=mark, markersize=4.5, markevery=every, linewidth=1.6, label=name)
    best = outcome.best_model
    draw(outcome.models[best], "--", color=_BEST, linewidth=1.8, label=f"best model alone:\n{best}")
    others = [name for name in outcome.models if name != best]
    for name in others:
        label = "other models alone" if name == others[0] else None
        draw(outcome.models[name], ":", color=_OTHER, linewidth=1.3, label=label, zorder=1)

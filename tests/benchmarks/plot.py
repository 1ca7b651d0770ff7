"""The plot of the throughput figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tests.benchmarks.throughput import BARE, HIT, MANY_CONNECTIONS, MISS_V3, MISS_V4, TARGETS, Run

_CASES = (BARE, HIT, MISS_V4, MISS_V3)
_COLOURS = {BARE: "#9aa0a6", HIT: "#1b9e77", MISS_V4: "#386cb0", MISS_V3: "#80b1d3"}


def draw_throughput(runs: Sequence[Run], path: Path) -> None:
    """Draw requests per second, each round a dot, with the bare server as the measure, into `path`."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True, layout="constrained")
    for axes, connections in zip(panels, (MANY_CONNECTIONS, 1), strict=True):
        _draw_panel(axes, [run for run in runs if run.connections == connections], connections)
    figure.suptitle("10 doubles in, their sum out: one query frontend, one replica, one machine")
    figure.supxlabel("dots: rounds; orange: target; = of the bare server", fontsize=9, color="#5f6368")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_panel(axes: Axes, runs: Sequence[Run], connections: int) -> None:
    rates = {case: [run.per_s for run in runs if run.case == case] for case in _CASES}
    bare = median(rates[BARE])
    for row, case in enumerate(reversed(_CASES)):
        middle = median(rates[case])
        axes.barh(row, middle, color=_COLOURS[case], height=0.6)
        axes.plot(rates[case], [row] * len(rates[case]), "k.", markersize=4, alpha=0.6)
        label = f"{middle:,.0f}/s" if case == BARE else f"{middle:,.0f}/s = {middle / bare:.2f}"
        axes.text(max(rates[case]) + 0.02 * bare, row, label, va="center", fontsize=9)
        if (target := TARGETS.get((case, connections))) is not None:
            axes.plot([target * bare] * 2, [row - 0.38, row + 0.38], color="#d95f02", linewidth=2)
    axes.set_yticks(range(len(_CASES)), reversed(_CASES))
    axes.set_xlim(0, 1.35 * bare)
    axes.set_xlabel("queries per second")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(f"{connections} connection{'s' if connections > 1 else ''}", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)

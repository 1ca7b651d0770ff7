"""Comparison of two checkouts: the throughput ratios of this one and of another, measured in turns.

    python -m tests.benchmarks.compare OTHER_CHECKOUT [--turns N] [--tolerance SHARE]

Each turn runs `.ci/bench --quick --only throughput` in the other checkout and then in this one. Each figure
is already a ratio to the bare server of its own run; the medians over all turns are compared, so that noise
of the machine falls on both alike. The exit status is 1 if a median is worse than the other's by more than
the tolerance.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support.paths import REPOSITORY

Ratios = dict[str, list[float]]


def main() -> int:
    """Measure both checkouts in turns, print the medians, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("--turns", type=int, default=5, help="runs of each checkout (default: 5)")
    parser.add_argument("--tolerance", type=float, default=0.03, help="share by which a median may be worse")
    given = parser.parse_args()
    here: Ratios = {}
    there: Ratios = {}
    for turn in range(given.turns):
        _add(there, _measure(given.other))
        _add(here, _measure(REPOSITORY))
        print(f"turn {turn + 1} of {given.turns} is done", file=sys.stderr)
    return _report(here, there, given.tolerance)


def _measure(checkout: Path) -> dict[str, float]:
    """Return each throughput ratio of one quick run in a checkout."""
    with tempfile.TemporaryDirectory() as results:
        command = [str(checkout / ".ci" / "bench"), "--quick", "--only", "throughput", "--results", results]
        # The exit status only shows whether the targets of the whole run are met.
        subprocess.run(command, cwd=checkout, stdout=sys.stderr, env=_environment(), check=False)
        figures = json.loads((Path(results) / "figures.json").read_text())["figures"]
    return {figure["name"]: figure["measured"] for figure in figures}


def _environment() -> dict[str, str]:
    """Return this environment without the paths that would make the other checkout import this one."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def _add(ratios: Ratios, measured: dict[str, float]) -> None:
    for name, value in measured.items():
        ratios.setdefault(name, []).append(value)


def _report(here: Ratios, there: Ratios, tolerance: float) -> int:
    table = Table("figure", "other", "here", "here / other", "")
    status = 0
    for name, values in here.items():
        median, other = statistics.median(values), statistics.median(there[name])
        is_worse = median < other * (1 - tolerance)
        status |= is_worse
        table.add_row(
            name, f"{other:.4f}", f"{median:.4f}", f"{median / other:.3f}", "WORSE" if is_worse else ""
        )
    Console(width=140).print(table)
    return status


if __name__ == "__main__":
    sys.exit(main())

"""`make bench`: every promised figure, measured in one run, printed and kept."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.batching import measure_batching
from tests.benchmarks.feedback import measure_feedback
from tests.benchmarks.figures import Figure, keep, show
from tests.benchmarks.memory import measure_memory
from tests.benchmarks.overload import measure_overloads
from tests.benchmarks.plan import QUICK, WHOLE, Plan
from tests.benchmarks.plot import draw_throughput
from tests.benchmarks.scale import measure_registrations, measure_replicas
from tests.benchmarks.selection import measure_selection
from tests.benchmarks.straggler import measure_straggler
from tests.benchmarks.throughput import measure_runs, throughput_figures

RESULTS = Path(__file__).with_name("results")


def _throughput(plan: Plan, results: Path | None) -> list[Figure]:
    runs = measure_runs(plan)
    if results is not None:
        draw_throughput(runs, results / "throughput.png")
    return throughput_figures(runs)


_PARTS: dict[str, Callable[[Plan], list[Figure]]] = {
    "batching": measure_batching,
    "selection": measure_selection,
    "straggler": measure_straggler,
    "feedback": measure_feedback,
    "overload": measure_overloads,
    "replicas": measure_replicas,
    "registrations": measure_registrations,
    "memory": measure_memory,
}


def main() -> int:
    """Run the benchmarks; the exit status is 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="measure for a short time, and keep nothing without --results"
    )
    parser.add_argument("--only", nargs="+", choices=["throughput", *_PARTS], help="measure these alone")
    parser.add_argument("--results", type=Path, help=f"the folder of the results (default: {RESULTS.name}/)")
    given = parser.parse_args()
    plan = QUICK if given.quick else WHOLE
    results: Path | None = given.results or (None if given.quick or given.only else RESULTS)
    if results is not None:
        results.mkdir(parents=True, exist_ok=True)
    figures: list[Figure] = []
    for name in given.only or ["throughput", *_PARTS]:
        started_s = time.monotonic()
        figures += _throughput(plan, results) if name == "throughput" else _PARTS[name](plan)
        print(f"{name}: {time.monotonic() - started_s:.0f} s", file=sys.stderr)
    show(figures)
    if results is not None:
        keep(figures, results / "figures.json")
        print(f"kept in {results}")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

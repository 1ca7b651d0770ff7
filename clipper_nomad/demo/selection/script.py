"""The demo of model selection, step by step: the policies that it compares, its texts and its table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.demo.places import make_manager
from clipper_nomad.demo.selection import plot
from clipper_nomad.demo.selection.losses import Losses, Outcome, share
from clipper_nomad.demo.selection.models import train
from clipper_nomad.demo.selection.rounds import Player
from clipper_nomad.demo.selection.stream import Stream, make_stream
from clipper_nomad.demo.stage import interruptible, running_cluster, timed
from clipper_nomad.deployers.python import deploy_python_closure

DEFAULT_PLOT = Path("selection.png")
#: They must forget within the demo.
_HALF_LIFE_S = 4.0
#: By default exp3 learns more slowly: for more queries than these.
_PARAMETERS: Mapping[str, Mapping[str, float]] = {"exp3": {"exploration": 0.2}}
_POLICIES: Mapping[str, dict[str, Any]] = {
    name: {
        "name": name,
        "loss": "zero_one",
        "half_life_s": _HALF_LIFE_S,
        "parameters": dict(_PARAMETERS.get(name, {})),
    }
    for name in ("epsilon_greedy", "exp3", "thompson", "exp4", "majority_vote")
}
# Long, so that a busy laptop misses no deadline: the demo shows learning, not speed.
_SLO_MICROS = 2_000_000
#: Holds all predictions of the demo: policies share the answers to the same queries.
_CACHE_BYTES = 32 * 1024 * 1024


def run_selection_demo(
    manager_name: str = "local", state_dir: Path | None = None, *, rounds: int, plot_path: Path | None = None
) -> bool:
    """Run the demo, printing what it does; return whether every query was answered by a model.

    Without a `plot_path` the plot goes to DEFAULT_PLOT, if plots can be drawn here.
    """
    wanted_path = plot_path or DEFAULT_PLOT
    if plot_path or not plot.missing():
        plot.check(wanted_path)
    console = Console()
    start_s = time.perf_counter()
    with timed(console, "Trained five models of handwritten digits"):
        trained = train()
    stream = make_stream(trained, rounds)
    manager = make_manager(manager_name, state_dir)
    with interruptible(), running_cluster(console, manager, _CACHE_BYTES) as connection:
        with timed(console, "Deployed them"):
            for name, predict in trained.models.items():
                deploy_python_closure(connection, name, "1", "doubles", predict)
        _register(connection, trained.models)
        outcome, defaults = _play(console, connection, trained.models, stream)
    console.print(_table(outcome, stream.inverted))
    show_plot(console, outcome, stream.inverted, wanted_path)
    verdict = f"[bold red]{defaults} answers were defaults" if defaults else "[bold green]Models answered all"
    console.print(f"{verdict}[/]. The demo took {time.perf_counter() - start_s:.1f} s.")
    return not defaults


def _register(connection: ClipperConnection, models: Iterable[str]) -> None:
    """Register an application for each policy, and one for each model alone."""
    for name, policy in _POLICIES.items():
        connection.register_application(name, "doubles", "-1", _SLO_MICROS, policy=policy)
        connection.link_model_to_app(name, models)
    for name in models:
        connection.register_application(name, "doubles", "-1", _SLO_MICROS)
        connection.link_model_to_app(name, name)


def _play(
    console: Console, connection: ClipperConnection, models: Iterable[str], stream: Stream
) -> tuple[Outcome, int]:
    """Ask everyone everything; return the losses, and how many answers were defaults."""
    address = connection.get_query_addr()

    async def play() -> tuple[Outcome, int]:
        async with Player(address) as player:
            await player.await_served([*_POLICIES, *models], stream.pictures[0].tolist())
            with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
                task = progress.add_task("Queries and feedback", total=len(stream))
                policies = await player.play(list(_POLICIES), stream, lambda: progress.advance(task))
            alone = await player.ask_all(models, stream)
        return Outcome(policies.losses, alone.losses), policies.defaults + alone.defaults

    console.print(f"  queries go to http://{address}/<policy>/predict and /update", style="dim", markup=False)
    start_s = time.perf_counter()
    outcome, defaults = asyncio.run(play())
    asked = f"Asked {len(_POLICIES)} policies {len(stream)} queries each, with feedback,"
    console.print(f"[bold]{asked}[/] in {time.perf_counter() - start_s:.1f} s", highlight=False)
    return outcome, defaults


def show_plot(console: Console, outcome: Outcome, broken: range, path: Path) -> None:
    """Draw the plot, or print why there is none."""
    if text := plot.missing():
        console.print(f"No plot was drawn. {text}", style="yellow", highlight=False, markup=False)
        return
    plot.draw(outcome, broken, path)
    console.print(f"The plot is {path}", highlight=False, soft_wrap=True, markup=False)


def _table(outcome: Outcome, broken: range) -> Table:
    """Return wrong answers by policy and model, the least first."""
    rounds = len(outcome.models[outcome.best_model])
    table = Table(
        title=f"Wrong answers to {rounds} queries, and their share before, while and after "
        f"three models are worse (queries {broken.start} to {broken.stop - 1})",
        title_justify="left",
        header_style="bold cyan",
    )
    table.add_column("who answers")
    for column in ("wrong", "against best model", "before", "meanwhile", "after"):
        table.add_column(column, justify="right")
    both = {**outcome.policies, **outcome.models}
    for name in sorted(both, key=lambda name: sum(both[name])):
        shares = [f"{share(part):.1%}" for part in _parts(both[name], broken)]
        against = f"{outcome.excess(name):+d}" if name in outcome.policies else ""
        style = None if name in outcome.policies else "bold" if name == outcome.best_model else "dim"
        table.add_row(name, str(sum(both[name])), against, *shares, style=style)
    return table


def _parts(losses: Losses, broken: range) -> tuple[Losses, Losses, Losses]:
    return losses[: broken.start], losses[broken.start : broken.stop], losses[broken.stop :]

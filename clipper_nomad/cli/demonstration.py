"""The command `clipper-nomad demo`, which shows the whole product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipper_nomad.cli.session import session_of

_ROUNDS = 2250
_MIN_ROUNDS = 30


def add_to(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(demo)


def demo(
    context: typer.Context,
    selection: Annotated[
        bool, typer.Option("--selection", help="Show policies that choose among five models, and learn.")
    ] = False,
    rounds: Annotated[
        int | None,
        typer.Option(min=_MIN_ROUNDS, help=f"With --selection: the number of queries, by default {_ROUNDS}."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="With --selection: the plot's file (.png, .svg or .pdf), replaced if it exists. "
            "By default selection.png, if matplotlib is installed."
        ),
    ] = None,
) -> None:
    """Start a cluster, train and serve a model, replace it while queries run, roll back, stop everything."""
    if not selection and (rounds is not None or plot is not None):
        raise typer.BadParameter("--rounds and --plot go with --selection")
    session = session_of(context)
    # They need scikit-learn, which no other command does.
    if selection:
        from clipper_nomad.demo.selection import run_selection_demo

        passed = run_selection_demo(
            session.manager_name, session.state_dir, rounds=rounds or _ROUNDS, plot_path=plot
        )
    else:
        from clipper_nomad.demo import run_demo

        passed = run_demo(session.manager_name, session.state_dir)
    if not passed:
        raise typer.Exit(1)

"""The command that shows the whole: `clipper-nomad demo`."""

from __future__ import annotations

import typer

from clipper_nomad.cli.session import session_of


def add_to(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(demo)


def demo(context: typer.Context) -> None:
    """Start a cluster, train and serve a model, replace it while queries run, roll back, stop everything."""
    # It needs scikit-learn, which no other command does.
    from clipper_nomad.demo import run_demo

    session = session_of(context)
    if not run_demo(session.manager_name, session.state_dir):
        raise typer.Exit(1)

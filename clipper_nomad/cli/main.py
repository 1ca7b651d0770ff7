"""The command line's root: the options of every command, the groups, and how errors end.

The exit code is 0, 1 if the library refused, or 2 for wrong usage. An error is never a stack trace.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from clipper_nomad.cli import (
    apps,
    cluster,
    demonstration,
    environment,
    images,
    jobspecs,
    models,
    query,
    registry,
)
from clipper_nomad.cli.output import say_error, say_warning
from clipper_nomad.cli.session import Session
from clipper_nomad.errors import ClipperException
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.managers.table import DEFAULT_MANAGER, manager_names

_MANAGERS = manager_names()

app = typer.Typer(
    name="clipper-nomad",
    help="Serve models behind REST, with latency objectives and versions.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(apps.app, name="apps")
app.add_typer(models.app, name="models")
app.add_typer(images.app, name="images")
app.add_typer(registry.app, name="registry")
cluster.add_to(app)
query.add_to(app)
demonstration.add_to(app)
jobspecs.add_to(app)
environment.add_to(app)


@app.callback()
def choose_cluster(
    context: typer.Context,
    manager: Annotated[
        str, typer.Option(envvar="CLIPPER_MANAGER", help=f"Where the cluster runs: {', '.join(_MANAGERS)}.")
    ] = DEFAULT_MANAGER,
    cluster_name: Annotated[
        str, typer.Option(envvar="CLIPPER_CLUSTER_NAME", help="The cluster's name.")
    ] = "default-cluster",
    state_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="CLIPPER_STATE_DIR",
            help="The folder of local clusters; by default ~/.local/state/clipper.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Keep the options that choose the cluster, for all commands."""
    # An installation that lists no managers is reported by the commands that need one.
    if _MANAGERS and manager not in _MANAGERS:
        known = ", ".join(_MANAGERS)
        raise typer.BadParameter(f"{manager!r} is unknown: use {known}", param_hint="--manager")
    context.obj = Session(manager, ClusterOptions(cluster_name, state_dir))


def main() -> None:
    """Run the command line, and exit with its code."""
    warnings.showwarning = lambda message, *_: say_warning(str(message))
    try:
        app()
    except ClipperException as error:
        say_error(str(error))
        sys.exit(1)

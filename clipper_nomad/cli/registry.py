"""Commands about the registry in Redis as a whole."""

from __future__ import annotations

import typer

from clipper_nomad.cli.output import progress, say
from clipper_nomad.cli.session import session_of

app = typer.Typer(help="What the cluster keeps in Redis.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `restore` a command of this group, though it is the only one."""


@app.command()
def restore(context: typer.Context) -> None:
    """Put back what the query frontends know of a registry that Redis has lost."""
    connection = session_of(context).connect()
    with progress("Waiting for a query frontend …"):
        answer = connection.restore_registry()
    say(answer)

"""The command `clipper-nomad env --terraform DIR`: the variables by which Terraform's cluster is reached."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from clipper_nomad.cli.output import AsJson, print_json
from clipper_nomad.cli.terraform import read_access


def add_to(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(env)


def env(
    terraform: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="The folder of terraform/access, once it is applied.",
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Print the variables of a cluster made with Terraform, secret ones too, for `eval` in a POSIX shell."""
    variables = read_access(terraform)
    if as_json:
        print_json(variables)
    else:
        typer.echo(format_exports(variables))


def format_exports(variables: Mapping[str, str]) -> str:
    """Return the commands that set variables in a POSIX shell, by name."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))

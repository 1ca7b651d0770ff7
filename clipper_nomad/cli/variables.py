"""The option `--env NAME=VALUE` of commands that deploy: the variables of a model's replicas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeAlias

import typer

from clipper_nomad.operations.environments import parse_environment

Variables: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--env", metavar="NAME=VALUE", help="A variable of the replicas, not secret; may be repeated."
    ),
]


def parse_variables(given: Iterable[str] | None) -> dict[str, str]:
    """Return the variables of `NAME=VALUE` texts; raises BadParameter, and ClipperException for bad names."""
    pairs = [text.partition("=") for text in given or ()]
    for name, separator, _ in pairs:
        if not separator:
            raise typer.BadParameter(f"{name!r} has no `=`: use NAME=VALUE", param_hint="--env")
    return parse_environment({name: value for name, _, value in pairs})

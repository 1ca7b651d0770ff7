"""The command `clipper-nomad render`: writes a cluster's jobspecs to files, and registers nothing.

The files are for review, or for a pipeline that submits them itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipper_nomad import names
from clipper_nomad.cli.output import say
from clipper_nomad.cli.session import session_of
from clipper_nomad.cli.variables import Variables, parse_variables
from clipper_nomad.errors import ClipperException
from clipper_nomad.managers.nomad import NomadContainerManager
from clipper_nomad.operations.cluster import make_cluster_spec
from clipper_nomad.types import DeploySpec, Resources


def add_to(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(render)


def render(
    context: typer.Context,
    to: Annotated[Path, typer.Option(help="The folder that the jobspecs are written to.")] = Path("jobspecs"),
    frontends: Annotated[int, typer.Option(help="How many query frontends there are.")] = 1,
    cache_size: Annotated[int, typer.Option(help="Bytes of each frontend's prediction cache.")] = 33554432,
    model: Annotated[
        str | None, typer.Option(help="MODEL:VERSION of a model whose job is written too; needs --image.")
    ] = None,
    image: Annotated[str | None, typer.Option(help="The model's image, or its archive.")] = None,
    input_type: Annotated[str, typer.Option(help="The type of the model's inputs.")] = "doubles",
    replicas: Annotated[int, typer.Option(help="How many replicas the model has.")] = 1,
    cpu: Annotated[float | None, typer.Option(help="Cores for each replica.")] = None,
    memory: Annotated[int | None, typer.Option(help="MiB for each replica.")] = None,
    env: Variables = None,
) -> None:
    """Write the jobspecs that `--manager nomad start` would submit, and a model's."""
    session = session_of(context)
    if session.manager_name != "nomad":
        raise ClipperException(f"The {session.manager_name} manager has no jobspecs: use --manager nomad.")
    if bool(model) != bool(image):
        raise ClipperException("A model's job needs both --model NAME:VERSION and --image.")
    models = []
    if model and image:
        name, _, version = model.partition(":")
        models.append(
            DeploySpec(
                names.parse_model_version(name, version),
                names.parse_input_type(input_type),
                image,
                replicas,
                Resources(cpu, memory),
                environment=parse_variables(env),
            )
        )
    spec = make_cluster_spec(
        query_frontend_image=None,
        mgmt_frontend_image=None,
        cache_size=cache_size,
        request_timeout_s=5,
        content_timeout_s=300,
        num_frontend_replicas=frontends,
    )
    files = NomadContainerManager.from_env(session.cluster_name).render(spec, models)
    to.mkdir(parents=True, exist_ok=True)
    for file_name, text in files.items():
        (to / file_name).write_text(text)
        say(str(to / file_name))

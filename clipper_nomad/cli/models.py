"""Commands about models, their versions and their replicas."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clipper_nomad import names
from clipper_nomad.cli.listings import list_models
from clipper_nomad.cli.output import AsJson, print_json, print_record, print_table, progress, say
from clipper_nomad.cli.session import management_of, session_of
from clipper_nomad.cli.variables import Variables, parse_variables
from clipper_nomad.errors import ClipperException

app = typer.Typer(help="Models, their versions and their replicas.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]
Version = Annotated[str | None, typer.Option(help="The version; by default the current one.")]

_FIELDS = (
    "model",
    "version",
    "current",
    "serving",
    "input_type",
    "replicas_wanted",
    "replicas_connected",
    "last_end",
)


@app.command("list")
def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """List the model versions, registered or only deployed."""
    connection = session_of(context).connect()
    listed = list_models(connection, management_of(connection))
    if as_json:
        print_json(listed)
    else:
        rows = [[each[field] for field in _FIELDS] for each in listed]
        print_table("Models", [field.replace("_", " ") for field in _FIELDS], rows)


@app.command()
def show(context: typer.Context, model: Model, version: Version = None, as_json: AsJson = False) -> None:
    """Show one model version."""
    connection = session_of(context).connect()
    version = version or connection.get_current_model_version(model)
    listed = list_models(connection, management_of(connection))
    found = [each for each in listed if (each["model"], each["version"]) == (model, version)]
    if not found:
        raise ClipperException(
            f"Model version {model}:{version} is unknown: `clipper-nomad models list` shows those there are."
        )
    print_json(found[0]) if as_json else print_record(f"Model version {model}:{version}", found[0])


@app.command()
def deploy(
    context: typer.Context,
    model: Model,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A version that is not registered yet.")],
    folder: Annotated[Path, typer.Argument(help="The model's folder, as a deployer makes it.")],
    input_type: Annotated[str, typer.Option(help="bytes, integers, floats, doubles or strings.")],
    replicas: Annotated[int, typer.Option(help="How many replicas.")] = 1,
    batch_size: Annotated[int, typer.Option(help="A fixed batch size; with -1 it is learnt.")] = -1,
    package: Annotated[list[str] | None, typer.Option(help="A package to install; may be repeated.")] = None,
    env: Variables = None,
    sample_input: Annotated[
        str | None,
        typer.Option(metavar="INPUT", help="An input that each replica must answer before it is ready."),
    ] = None,
    output_type: Annotated[str, typer.Option(help="json, or string to keep outputs as texts.")] = "json",
    cache_ttl_s: Annotated[
        float | None, typer.Option(help="How long outputs are cached, in seconds; 0 is not at all.")
    ] = None,
) -> None:
    """Build and deploy a model's folder, which makes it the current version."""
    connection = session_of(context).connect()
    with progress(f"Deploying model version {model}:{version} …"):
        connection.build_and_deploy_model(
            model,
            version,
            input_type,
            folder,
            "default",
            num_replicas=replicas,
            batch_size=batch_size,
            pkgs_to_install=package,
            environment=parse_variables(env),
            sample_input=None if sample_input is None else parse_sample(sample_input, input_type),
            output_type=output_type,
            cache_ttl_s=cache_ttl_s,
        )
    say(f"Model version {model}:{version} is ready and current")


def parse_sample(text: str, input_type: str) -> object:
    """Return an input from the command line: JSON, or for strings and bytes also plain text."""
    try:
        parsed = json.loads(text)
    except json.JSONDecodeError:
        return text
    is_text = names.parse_input_type(input_type) in ("strings", "bytes")
    return text if is_text and not isinstance(parsed, str) else parsed


@app.command()
def scale(
    context: typer.Context,
    model: Model,
    replicas: Annotated[int, typer.Argument(help="How many replicas.")],
    version: Version = None,
) -> None:
    """Change how many replicas a version has, and wait until new ones are connected."""
    connection = session_of(context).connect()
    version = version or connection.get_current_model_version(model)
    with progress(f"Scaling model version {model}:{version} to {replicas} replicas …"):
        connection.set_num_replicas(model, replicas, version)
    say(f"Model version {model}:{version} has {replicas} replicas")


@app.command()
def set_version(
    context: typer.Context,
    model: Model,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="A registered version.")],
    replicas: Annotated[int | None, typer.Option(help="How many replicas it gets.")] = None,
) -> None:
    """Make a registered version the current one: roll forward, or back."""
    connection = session_of(context).connect()
    with progress(f"Making model version {model}:{version} current …"):
        connection.set_model_version(model, version, replicas)
    say(f"Model version {model}:{version} is current")


@app.command()
def purge_cache(
    context: typer.Context,
    model: Model,
    version: Version = None,
    replica: Annotated[
        str | None, typer.Option(help="Only what this replica answered: its instance id, as in logs.")
    ] = None,
) -> None:
    """Drop a version's cached outputs from all query frontends, as after a replica that answered wrongly."""
    connection = session_of(context).connect()
    version = version or connection.get_current_model_version(model)
    connection.purge_cache(model, version, replica=replica)
    whose = f"replica {replica} of " if replica else ""
    say(f"The cached outputs of {whose}model version {model}:{version} are gone")


@app.command()
def stop(
    context: typer.Context,
    model: Model,
    version: Annotated[
        list[str] | None, typer.Option(help="A version; may be repeated. All by default.")
    ] = None,
    inactive: Annotated[
        bool, typer.Option("--inactive", help="Keep the versions that are current or serving.")
    ] = False,
) -> None:
    """Stop and unregister versions of a model."""
    if version and inactive:
        raise typer.BadParameter("--version and --inactive exclude each other", param_hint="--inactive")
    names.parse_known_name(model)
    connection = session_of(context).connect()
    with progress(f"Stopping model {model} …"):
        if version:
            connection.stop_versioned_models({model: version})
        elif inactive:
            connection.stop_inactive_model_versions([model])
        else:
            connection.stop_models([model])
    stopped = f"versions {', '.join(version)}" if version else f"{'inactive' if inactive else 'all'} versions"
    say(f"Stopped {stopped} of model {model}")


@app.command()
def prune(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option(help="Remove nothing: only list it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what was built for versions that are neither registered nor deployed."""
    connection = session_of(context).connect()
    found = connection.prune_models(dry_run=dry_run)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    print_table("Unused", ["image", "MB"], [[each.name, f"{each.size_bytes / 1e6:.1f}"] for each in found])
    done = "could be removed" if dry_run else "removed"
    say(f"{len(found)} images {done}, {sum(each.size_bytes for each in found) / 1e6:.1f} MB")

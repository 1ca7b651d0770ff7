"""Commands about applications and their links."""

from __future__ import annotations

from typing import Annotated

import typer

from clipper_nomad.cli.listings import list_apps
from clipper_nomad.cli.output import AsJson, print_json, print_record, print_table, say
from clipper_nomad.cli.session import session_of
from clipper_nomad.errors import ClipperException

app = typer.Typer(help="Applications, and the models they are linked to.", no_args_is_help=True)

App = Annotated[str, typer.Argument(metavar="APP", help="The application's name.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]

_FIELDS = ("name", "input_type", "latency_slo_micros", "default_output", "linked_models")


@app.command("list")
def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """List the applications."""
    listed = list_apps(session_of(context).connect())
    if as_json:
        print_json(listed)
    else:
        rows = [[each[field] for field in _FIELDS] for each in listed]
        print_table("Applications", [field.replace("_", " ") for field in _FIELDS], rows)


@app.command()
def show(context: typer.Context, name: App, as_json: AsJson = False) -> None:
    """Show one application."""
    record = session_of(context).connect().get_app_info(name)
    if record is None:
        raise ClipperException(f"Application {name} is unknown: see `clipper-nomad apps list`.")
    print_json(record) if as_json else print_record(f"Application {name}", record)


@app.command()
def add(
    context: typer.Context,
    name: App,
    input_type: Annotated[str, typer.Option(help="bytes, integers, floats, doubles or strings.")],
    default_output: Annotated[str, typer.Option(help="The answer where no prediction is in time.")] = "None",
    slo_micros: Annotated[int, typer.Option(help="Microseconds that an answer may take.")] = 100_000,
    on_default: Annotated[str, typer.Option(help="default, error or wait.")] = "default",
) -> None:
    """Register an application."""
    connection = session_of(context).connect()
    connection.register_application(name, input_type, default_output, slo_micros, on_default=on_default)
    say(f"Application {name} is registered: POST http://{connection.get_query_addr()}/{name}/predict")


@app.command()
def delete(context: typer.Context, name: App) -> None:
    """Unregister an application."""
    session_of(context).connect().unregister_application(name)
    say(f"Application {name} is gone")


@app.command()
def link(context: typer.Context, name: App, model: Model) -> None:
    """Let a model answer an application's queries."""
    session_of(context).connect().link_model_to_app(name, model)
    say(f"Model {model} answers for application {name}")


@app.command()
def unlink(context: typer.Context, name: App, model: Model) -> None:
    """Take a model away from an application."""
    session_of(context).connect().unlink_model_from_app(name, model)
    say(f"Model {model} no longer answers for application {name}")

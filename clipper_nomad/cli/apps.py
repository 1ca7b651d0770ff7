"""Commands about applications, their policies and their links."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from clipper_nomad.cli.listings import list_apps
from clipper_nomad.cli.output import AsJson, print_json, print_record, print_table, say
from clipper_nomad.cli.policies import POLICY_HELP, Arms, parse_policy, print_state, read_state
from clipper_nomad.cli.session import session_of
from clipper_nomad.errors import ClipperException

app = typer.Typer(help="Applications, and the models they are linked to.", no_args_is_help=True)

App = Annotated[str, typer.Argument(metavar="APP", help="The application's name.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]

_FIELDS = ("name", "input_type", "latency_slo_micros", "default_output", "policy", "linked_models")


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
def show(
    context: typer.Context,
    name: App,
    user: Annotated[
        str | None, typer.Option(help="The user whose state is shown; by default that of all users.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show one application, and what its policy has learnt."""
    connection = session_of(context).connect()
    record = connection.get_app_info(name)
    if record is None:
        raise ClipperException(f"Application {name} is unknown: see `clipper-nomad apps list`.")
    state = read_state(connection, name, user)
    if as_json:
        print_json(record | {"policy_state": state})
        return
    print_record(f"Application {name}", record | {"policy_config": json.dumps(record["policy_config"])})
    print_state(state)


@app.command()
def add(
    context: typer.Context,
    name: App,
    input_type: Annotated[str, typer.Option(help="bytes, integers, floats, doubles or strings.")],
    default_output: Annotated[str, typer.Option(help="The answer if no prediction is in time.")] = "None",
    slo_micros: Annotated[int, typer.Option(help="Microseconds that an answer may take.")] = 100_000,
    on_default: Annotated[str, typer.Option(help="default, error or wait.")] = "default",
    policy: Annotated[str, typer.Option(help=POLICY_HELP)] = "default",
    arm: Arms = None,
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="An origin of web pages that may query it, or *. Repeatable.")
    ] = None,
) -> None:
    """Register an application."""
    parsed = parse_policy(policy, arm or ())
    connection = session_of(context).connect()
    connection.register_application(
        name,
        input_type,
        default_output,
        slo_micros,
        on_default=on_default,
        policy=parsed,
        cors_origins=cors_origin,
    )
    say(f"Application {name} is registered: POST http://{connection.get_query_addr()}/{name}/predict")


@app.command()
def delete(context: typer.Context, name: App) -> None:
    """Unregister an application."""
    session_of(context).connect().unregister_application(name)
    say(f"Application {name} is gone")


@app.command()
def set_policy(
    context: typer.Context,
    name: App,
    policy: Annotated[str, typer.Argument(metavar="POLICY", help=POLICY_HELP)],
    arm: Arms = None,
) -> None:
    """Give an application another selection policy, while it is queried."""
    parsed = parse_policy(policy, arm or ())
    session_of(context).connect().set_policy(name, parsed)
    say(f"Application {name} has its new policy: `clipper-nomad apps show {name}` shows it")


@app.command()
def link(
    context: typer.Context,
    name: App,
    models: Annotated[list[str], typer.Argument(metavar="MODEL", help="A model's name; may be several.")],
    weight: Annotated[
        list[float] | None, typer.Option(help="A model's weight, in the order of the models.")
    ] = None,
) -> None:
    """Link models to an application, so that they answer its queries."""
    session_of(context).connect().link_model_to_app(name, models, weights=weight or None)
    say(f"{'Models' if len(models) > 1 else 'Model'} {', '.join(models)} linked to application {name}")


@app.command()
def unlink(context: typer.Context, name: App, model: Model) -> None:
    """Unlink a model from an application."""
    session_of(context).connect().unlink_model_from_app(name, model)
    say(f"Model {model} no longer answers for application {name}")

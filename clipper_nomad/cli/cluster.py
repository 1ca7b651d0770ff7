"""Commands about a cluster as a whole: start, status, logs, stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clipper_nomad import names
from clipper_nomad.cli.listings import list_apps, list_frontends, list_models
from clipper_nomad.cli.output import AsJson, console, print_json, print_table, progress, say, say_warning
from clipper_nomad.cli.session import management_of, session_of
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.management import ManagementClient


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    for command in (start, status, logs, stop):
        app.command()(command)


def start(
    context: typer.Context,
    frontends: Annotated[
        int | None,
        typer.Option(help="How many query frontends share the query port; by default 1, or as it is."),
    ] = None,
    cache_size: Annotated[
        int | None,
        typer.Option(help="Bytes of each frontend's prediction cache; by default 33554432, or as it is."),
    ] = None,
    host: Annotated[str, typer.Option(envvar="CLIPPER_HOST", help="Address to listen on.")] = "127.0.0.1",
    query_port: Annotated[int, typer.Option(envvar="CLIPPER_QUERY_PORT")] = 1337,
    management_port: Annotated[int, typer.Option(envvar="CLIPPER_MANAGEMENT_PORT")] = 1338,
    rpc_port: Annotated[
        int,
        typer.Option(
            envvar="CLIPPER_RPC_PORT", help="The first RPC port; each further frontend has the next."
        ),
    ] = 7000,
    redis_port: Annotated[int, typer.Option(envvar="CLIPPER_REDIS_PORT")] = 6379,
    redis_ip: Annotated[
        str | None, typer.Option(envvar="CLIPPER_REDIS_IP", help="A Redis that runs elsewhere.")
    ] = None,
) -> None:
    """Start the cluster, or bring it back; on a running one, roll what differs."""
    session = session_of(context)
    manager = session.make_manager(
        host=host,
        query_port=query_port,
        management_port=management_port,
        rpc_port=rpc_port,
        redis_port=redis_port,
        redis_ip=redis_ip,
    )
    connection = ClipperConnection(manager)
    given: dict[str, Any] = {"cache_size": cache_size, "num_frontend_replicas": frontends}
    with progress(f"Starting cluster {session.cluster_name} …"):
        connection.start_clipper(**{name: value for name, value in given.items() if value is not None})
    say(f"Cluster {session.cluster_name} answers queries at http://{connection.get_query_addr()}")


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the cluster: addresses, query frontends, models, applications."""
    connection = session_of(context).connect()
    management = management_of(connection)
    addresses = {
        "cluster": session_of(context).cluster_name,
        "query_address": connection.get_query_addr(),
        "management_address": connection.cm.get_management_address(),
        "metric_address": connection.get_metric_addr(),
    }
    _warn_of_lost_registry(management)
    frontends = list_frontends(management)
    models = list_models(connection, management)
    apps = list_apps(connection)
    if as_json:
        print_json({**addresses, "query_frontends": frontends, "models": models, "applications": apps})
        return
    for name, value in addresses.items():
        console.print(f"{name.replace('_', ' '):<20}{value}", highlight=False)
    print_table(
        "Query frontends", *_columns(frontends, "id", "rpc_address", "admin_address", "version", "ready")
    )
    print_table(
        "Models",
        *_columns(
            models,
            "model",
            "version",
            "current",
            "serving",
            "replicas_wanted",
            "replicas_connected",
            "last_end",
        ),
    )
    print_table(
        "Applications",
        *_columns(apps, "name", "input_type", "latency_slo_micros", "default_output", "linked_models"),
    )


def _columns(records: list[dict[str, Any]], *fields: str) -> tuple[list[str], list[list[object]]]:
    return [name.replace("_", " ") for name in fields], [[each[name] for name in fields] for each in records]


def _warn_of_lost_registry(management: ManagementClient) -> None:
    followers = management.get_registry().get("followers_of_lost")
    if followers:
        say_warning(
            f"Redis has lost the registry that these query frontends follow: {', '.join(followers)}. "
            "`clipper-nomad registry restore` puts it back."
        )


def logs(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(help="MODEL:VERSION to show the last lines of; without it, all logs are saved."),
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines of each replica.")] = 20,
    to: Annotated[Path, typer.Option(help="The folder that all logs are saved to.")] = Path("clipper_logs"),
    as_json: AsJson = False,
) -> None:
    """Show the last lines of a model version's log, or save the logs of all processes."""
    connection = session_of(context).connect()
    if model is not None:
        name, _, version = model.partition(":")
        wanted = names.parse_known_model(name, version or connection.get_current_model_version(name))
        text = connection.cm.tail_logs(wanted, lines)
        print_json(text.splitlines()) if as_json else typer.echo(text)
        return
    paths = connection.get_clipper_logs(str(to))
    print_json(paths) if as_json else typer.echo("\n".join(paths))


def stop(
    context: typer.Context,
    keep_state: Annotated[bool, typer.Option(help="Keep what is registered, for the next start.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Stop at once, without draining.")] = False,
) -> None:
    """Stop the cluster with all its models; what is registered is gone, unless it is kept."""
    session = session_of(context)
    manager = session.make_manager()
    with progress(f"Stopping cluster {session.cluster_name} …"):
        try:
            connection = ClipperConnection(manager)
            connection.connect()
            connection.stop_all(graceful=not now, keep_state=keep_state)
        except ContainerManagerError:
            # A cluster that does not run may still have state, or processes without a supervisor.
            if keep_state or not manager.remove_leftovers():
                raise
    say(f"Cluster {session.cluster_name} is stopped: its state is {'kept' if keep_state else 'gone'}")

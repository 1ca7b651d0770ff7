"""The command `clipper-nomad query`: sends one query, as an application does."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import requests
import typer

from clipper_nomad import names
from clipper_nomad.cli.output import AsJson, console, print_json, say
from clipper_nomad.cli.session import session_of
from clipper_nomad.errors import ClipperException, NotReachableError

# More than any latency SLO that a person waits for.
_TIMEOUT_S = 60.0


def add_to(app: typer.Typer) -> None:
    """Add the command to the root."""
    app.command()(query)


def query(
    context: typer.Context,
    app: Annotated[str, typer.Argument(metavar="APP", help="The application's name.")],
    value: Annotated[
        str,
        typer.Argument(metavar="INPUT", help='As [1,2,3], text, or {"input_batch": [...]}.'),
    ],
    version: Annotated[str | None, typer.Option(help="A version other than the one that serves.")] = None,
    user: Annotated[str | None, typer.Option(help="The user whose query it is.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a query, and print the answer and how long it took."""
    address = session_of(context).connect().get_query_addr()
    url = f"http://{address}/{names.parse_application_name(app)}/predict"
    body = parse_body(value)
    if version is not None:
        body["version"] = version
    if user is not None:
        body["user_id"] = user
    start_s = time.perf_counter()
    response = _post(url, body)
    latency_ms = round((time.perf_counter() - start_s) * 1000, 3)
    if response.status_code != requests.codes.ok:
        refusal = f"{response.status_code}: {response.text.strip()}"
        raise ClipperException(f"The query frontend refused the query with status {refusal}")
    if as_json:
        print_json({"answer": response.json(), "latency_ms": latency_ms})
        return
    console.print_json(response.text)
    say(f"answered in {latency_ms} ms")


def parse_body(value: str) -> dict[str, Any]:
    """Return the request that a value stands for: JSON that holds an input or is one, or text that is one."""
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        parsed = value
    if isinstance(parsed, dict) and parsed.keys() & {"input", "input_batch"}:
        return dict(parsed)
    return {"input": parsed}


def _post(url: str, body: dict[str, Any]) -> requests.Response:
    try:
        with requests.Session() as session:
            # A proxy for the internet would not reach the cluster.
            session.trust_env = False
            return session.post(url, json=body, timeout=_TIMEOUT_S)
    except requests.RequestException as error:
        advice = "`clipper-nomad status` shows the cluster"
        raise NotReachableError(f"Could not send the query to {url} ({error}): {advice}.") from error

"""A client of the management interface, written to the letter of its description and to nothing else.

It imports nothing of this project: what it can do, any program can.
"""

from __future__ import annotations

import http.client
import json
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """An answer: its status, its text, and its headers under lower-case names."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        """Return the answer's JSON value."""
        return json.loads(self.text)


class LetterManagementClient:
    """Speaks to the management frontend at `address`, a `host:port`, on a new connection each time."""

    def __init__(self, address: str, timeout_s: float = 10.0) -> None:
        self._address = address
        self._timeout_s = timeout_s

    def call(self, name: str, /, **fields: Any) -> Reply:
        """Make the admin call `name` with these fields as its body."""
        return self.post(name, json.dumps(fields).encode())

    def post(self, name: str, body: bytes, /, **headers: str) -> Reply:
        """Make the admin call `name` with a body as it is."""
        return self.request("POST", f"/admin/{name}", body, {"Content-Type": "application/json", **headers})

    def get(self, path: str) -> Reply:
        """Get a path."""
        return self.request("GET", path)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """Send one request and return its answer."""
        connection = http.client.HTTPConnection(self._address, timeout=self._timeout_s)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, response.read().decode(), received)
        finally:
            connection.close()

    # -- the calls as a program makes them ---------------------------------------------------------

    def add_app(self, name: str, input_type: str = "doubles", default_output: str = "-1.0") -> Reply:
        """Add an application with a latency SLO of 100 ms."""
        return self.call(
            "add_app",
            name=name,
            input_type=input_type,
            default_output=default_output,
            latency_slo_micros=100_000,
        )

    def add_model(self, name: str, version: str = "1", input_type: str = "doubles", **fields: Any) -> Reply:
        """Add a model version without labels."""
        body = {
            "model_name": name,
            "model_version": version,
            "labels": [],
            "input_type": input_type,
            "container_name": "image:1",
            "model_data_path": "/data",
            "batch_size": -1,
        }
        return self.call("add_model", **{**body, **fields})

    def link(self, app: str, *models: str) -> Reply:
        """Link an application to models."""
        return self.call("add_model_links", app_name=app, model_names=list(models))

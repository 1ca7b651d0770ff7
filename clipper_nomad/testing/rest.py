"""Requests to a cluster's frontends, as an application without the admin library makes them."""

from __future__ import annotations

import http.client
import json
from typing import Any


class RefusedError(Exception):
    """A frontend answered with another status than 200: `status` and `text` say what."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


def request(
    address: str, method: str, path: str, body: bytes = b"", timeout_s: float = 30
) -> tuple[int, bytes]:
    """Send one HTTP request on a connection of its own and return status and body.

    An address may have a path, as one behind a load balancer has.
    """
    place, slash, prefix = address.partition("/")
    connection = http.client.HTTPConnection(place, timeout=timeout_s)
    try:
        connection.request(method, f"{slash}{prefix}{path}", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def predict(address: str, app: str, **body: Any) -> dict[str, Any]:
    """Return a query's answer. Raises RefusedError for any status but 200."""
    status, answer = request(address, "POST", f"/{app}/predict", json.dumps(body).encode())
    if status != 200:
        raise RefusedError(status, answer.decode())
    return dict(json.loads(answer))

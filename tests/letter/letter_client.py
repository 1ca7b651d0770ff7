"""A REST client written to the letter of Clipper's query interface, as one from outside this project.

Imports nothing but the standard library.
"""

from __future__ import annotations

import http.client
import json
from typing import Any


class LetterClient:
    """One keep-alive connection to the query frontend at `host`:`port`."""

    def __init__(self, host: str, port: int, timeout_s: float = 30) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def predict(self, app: str, value: Any, version: str | None = None) -> Any:
        """Ask for one prediction and return the answer's object."""
        body = {"input": value} if version is None else {"input": value, "version": version}
        return self._post(f"/{app}/predict", body)

    def predict_batch(self, app: str, values: list[Any]) -> Any:
        """Ask for several predictions and return the answer's object."""
        return self._post(f"/{app}/predict", {"input_batch": values})

    def update(self, app: str, uid: int, value: Any, label: float) -> str:
        """Send feedback and return the answer's text."""
        return self._send(f"/{app}/update", {"uid": uid, "input": value, "label": label})

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return json.loads(self._send(path, body))

    def _send(self, path: str, body: dict[str, Any]) -> str:
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(body), headers)
        response = self._connection.getresponse()
        text = response.read().decode()
        if response.status != 200:
            raise ValueError(f"{response.status}: {text}")
        return text

"""The HTTPS APIs of the servers of a cluster of nodes, with a token and a CA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import requests

CONSUL_PORT, NOMAD_PORT = 8501, 4646
_TIMEOUT_S = 5.0


class APIError(Exception):
    """A server refused with `status` and `text`. Without a connection `status` is 0."""

    def __init__(self, url: str, status: int, text: str) -> None:
        super().__init__(f"{url}: {status or 'no answer'}: {text}")
        self.status = status
        self.text = text


class ServerAPI:
    """One API of one server: Consul's or Nomad's. Without a `token`, requests have none."""

    def __init__(self, url: str, header: str, ca_path: Path, token: str) -> None:
        self.url = url
        self._header = header
        self._ca_path = ca_path
        self._token = token

    @classmethod
    def of_consul(cls, address: str, ca_path: Path, token: str = "") -> ServerAPI:
        """Return Consul's API at an address."""
        return cls(f"https://{address}:{CONSUL_PORT}", "X-Consul-Token", ca_path, token)

    @classmethod
    def of_nomad(cls, address: str, ca_path: Path, token: str = "") -> ServerAPI:
        """Return Nomad's API at an address."""
        return cls(f"https://{address}:{NOMAD_PORT}", "X-Nomad-Token", ca_path, token)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the decoded answer. Raises APIError."""
        headers = {self._header: self._token} if self._token else {}
        with requests.Session() as session:
            # The proxy and the CA of this machine's environment are not for the cluster.
            session.trust_env = False
            session.verify = str(self._ca_path)
            url = f"{self.url}{path}"
            try:
                answer = session.request(method, url, json=body, headers=headers, timeout=_TIMEOUT_S)
            except (requests.RequestException, OSError) as error:
                raise APIError(url, 0, str(error)) from error
        if not answer.ok:
            raise APIError(url, answer.status_code, answer.text.strip())
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        """Return the decoded answer. Raises APIError."""
        return self.request("GET", path)

"""The three agents of a real cluster: how Consul, Nomad and Fabio are started, and when they are healthy."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.nomad.acl import make_agents_tokens
from tests.support.nomad.agent import Agent, AgentError, send
from tests.support.nomad.plan import REGION
from tests.support.nomad.settings import consul_settings, fabio_command, fabio_service, nomad_settings
from tests.support.processes import eventually

_NODE_TIMEOUT_S = 3.0
# In Linux's table of TCP sockets.
_LISTENING = "0A"


def _write(path: Path, settings: Mapping[str, Any]) -> str:
    path.touch(mode=0o600)
    path.write_text(json.dumps(settings, indent=2))
    return str(path)


class Consul(Agent):
    """Consul, a single server."""

    name = "consul"

    def command(self) -> list[str]:
        """Return the command line, once the configuration is written."""
        settings = _write(self.site.directory / "consul.json", consul_settings(self.site))
        return [str(self.site.tools.consul), "agent", "-config-file", settings]

    def answers(self) -> bool:
        """Return whether there is a leader that accepts the first token."""
        with contextlib.suppress(AgentError):
            known = not self.site.plan.acl or self.request("GET", "/v1/acl/token/self")
            return bool(known and self.request("GET", "/v1/status/leader"))
        return False

    def is_healthy(self) -> bool:
        """Return whether the node is in the catalog, which DNS answers from."""
        with contextlib.suppress(AgentError):
            return bool(self.request("GET", "/v1/catalog/nodes"))
        return False

    def prepare(self) -> None:
        """Make the agents' tokens, if there are ACLs, and register Fabio."""
        if self.site.plan.acl:
            make_agents_tokens(self)
        service = fabio_service(self.site)
        # A service that is registered again must pass its check again.
        if service["ID"] not in self.request("GET", "/v1/agent/services"):
            self.request("PUT", "/v1/agent/service/register", service)

    def has_passing(self, service: str) -> bool:
        """Return whether an instance of a service passes its checks."""
        with contextlib.suppress(AgentError):
            return bool(self.request("GET", f"/v1/health/service/{service}?passing"))
        return False

    def request(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """Return the decoded answer of Consul's API, by default with all rights. Raises AgentError."""
        token = self.site.secrets.consul_management if token is None else token
        headers = {"X-Consul-Token": token} if self.site.plan.acl else {}
        return send(self.site, method, f"{self.site.consul_url}{path}", body, headers)


class Nomad(Agent):
    """Nomad, a single server and the one client in one process."""

    name = "nomad"

    def command(self) -> list[str]:
        """Return the command line, once devices, certificates and the configuration are written."""
        devices = self.site.directory / "devices"
        devices.mkdir(exist_ok=True)
        for number in range(self.site.plan.devices):
            (devices / f"device-{number}").touch()
        if self.site.plan.tls and not self.site.tls_dir.exists():
            self._make_certificates()
        settings = _write(self.site.directory / "nomad.json", nomad_settings(self.site))
        return [str(self.site.tools.nomad), "agent", "-config", settings]

    def answers(self) -> bool:
        """Return whether server and client are joined, and there is a leader."""
        with contextlib.suppress(AgentError):
            health = self.request("GET", "/v1/agent/health")
            return bool(
                health["server"]["ok"] and health["client"]["ok"] and self.request("GET", "/v1/status/leader")
            )
        return False

    def is_healthy(self) -> bool:
        """Return whether the node takes tasks of all drivers, and has its devices."""
        with contextlib.suppress(AgentError):
            return any(self._is_complete(node["ID"]) for node in self.request("GET", "/v1/nodes"))
        return False

    def prepare(self) -> None:
        """Make the first token, if there are ACLs, and make sure that the node joins."""
        if self.site.plan.acl:
            self._make_first_token()
        try:
            eventually(self._has_node, "the node has joined", _NODE_TIMEOUT_S)
        except TimeoutError:
            # In a new cluster a node may ask to join before the server has made its keys. It tries again only
            # after 15 to 30 s, but at once when it is started.
            self.stop()
            self.launch()
            self.wait_for(self.answers, "it answers")

    def _make_first_token(self) -> None:
        with contextlib.suppress(AgentError):
            self.request("GET", "/v1/acl/token/self")
            return
        body = {"BootstrapSecret": self.site.secrets.nomad_management}
        self.request("POST", "/v1/acl/bootstrap", body, token="")

    def stop_jobs(self, timeout_s: float) -> None:
        """Stop all jobs and return once their allocations have ended, or after `timeout_s`."""
        for job in self.request("GET", "/v1/jobs?namespace=*"):
            path = f"/v1/job/{quote(job['ID'], safe='')}?namespace={job['Namespace']}&purge=true"
            self.request("DELETE", f"{path}&no_shutdown_delay=true")
        with contextlib.suppress(TimeoutError):
            eventually(self._has_no_tasks, "all allocations have ended", timeout_s)

    def request(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """Return the decoded answer of Nomad's API, by default with all rights. Raises AgentError."""
        token = self.site.secrets.nomad_management if token is None else token
        headers = {"X-Nomad-Token": token} if self.site.plan.acl and token else {}
        return send(self.site, method, f"{self.site.nomad_url}{path}", body, headers)

    def _has_node(self) -> bool:
        with contextlib.suppress(AgentError):
            return bool(self.request("GET", "/v1/nodes"))
        return False

    def _is_complete(self, node_id: str) -> bool:
        node = self.request("GET", f"/v1/node/{node_id}")
        healthy = {name for name, driver in node["Drivers"].items() if driver["Healthy"]}
        devices = sum(len(group["Instances"]) for group in node["NodeResources"]["Devices"] or ())
        return (
            node["Status"] == "ready"
            and node["SchedulingEligibility"] == "eligible"
            and healthy >= self.site.plan.drivers
            and devices == self.site.plan.devices
        )

    def _has_no_tasks(self) -> bool:
        found = self.request("GET", "/v1/allocations?namespace=*")
        return all(allocation["ClientStatus"] not in ("running", "pending") for allocation in found)

    def _make_certificates(self) -> None:
        self.site.tls_dir.mkdir()
        tls = [str(self.site.tools.nomad), "tls"]
        for arguments in (
            ["ca", "create"],
            ["cert", "create", "-server", "-region", REGION, f"-additional-ipaddress={self.site.address}"],
            ["cert", "create", "-cli", "-region", REGION],
        ):
            subprocess.run([*tls, *arguments], cwd=self.site.tls_dir, check=True, capture_output=True)


class Fabio(Agent):
    """Fabio, which routes the services that are tagged for it in Consul."""

    name = "fabio"

    def command(self) -> list[str]:
        """Return the command line."""
        return fabio_command(self.site)

    def answers(self) -> bool:
        """Return whether the UI answers."""
        with contextlib.suppress(AgentError):
            send(self.site, "GET", f"{self.site.fabio_ui_url}/api/routes")
            return True
        return False

    def is_healthy(self) -> bool:
        """Return whether it listens on all its ports; its UI answers before that."""
        ports = self.site.plan.ports
        wanted = {(self.site.address, port) for port in (ports.fabio_http, *ports.fabio_tcp)}
        return wanted <= self._listening()

    def _listening(self) -> set[tuple[str, int]]:
        """Return the addresses where it listens, from Linux's table: no listener sees a connection."""
        found = set()
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/net/tcp").read_text().splitlines()[1:]:
                _, place, _, state, *_ = line.split()
                if state == _LISTENING:
                    address, _, port = place.partition(":")
                    found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
        return found

    def routes(self) -> list[dict[str, Any]]:
        """Return the routing table: service, src, dst and more of each route."""
        found: list[dict[str, Any]] = send(self.site, "GET", f"{self.site.fabio_ui_url}/api/routes")
        return found or []

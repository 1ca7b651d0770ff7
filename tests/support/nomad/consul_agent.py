"""A Consul of a test's own, with services added by the test, and a DNS server without Consul's names.

Tests on a whole cluster use its Consul.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import dns.message
import dns.rcode
import dns.rrset
import requests

from clipper_nomad.managers.nomad.clients.access import TLS, ConsulAccess
from clipper_nomad.managers.ports import choose_free
from tests.support.processes import Process, eventually

MANAGEMENT_TOKEN = "5b1c7a52-0d0c-4d1e-9d4e-0f3f4a1f2c11"
_HOST = "127.0.0.1"


class ConsulAgent:
    """A Consul server on loopback that keeps nothing. `dns` is its `host:port`.

    A `secure` one has ACLs that deny by default, and speaks only HTTPS, to clients with a certificate.
    """

    def __init__(self, program: Path, directory: Path, *, secure: bool = False) -> None:
        self._program = program
        self._directory = directory
        http, dns_port, *others = choose_free(_HOST, 5)
        self.dns = f"{_HOST}:{dns_port}"
        ports = dict(zip(("server", "serf_lan", "serf_wan"), others, strict=True))
        settings: dict[str, Any] = {"ports": {"dns": dns_port, "http": http, "grpc": -1, **ports}}
        self.access = ConsulAccess(port=http)
        if secure:
            settings["ports"] |= {"http": -1, "https": http}
            settings |= self._secure_settings()
            self.access = ConsulAccess(
                port=http, scheme="https", token=MANAGEMENT_TOKEN, tls=self._make_certificates()
            )
        (directory / "consul.json").write_text(json.dumps(settings))
        self._session = requests.Session()
        self._session.trust_env = False
        tls = self.access.tls
        if secure:
            self._session.verify = tls.ca_cert
            self._session.cert = (str(tls.client_cert), str(tls.client_key))
            self._session.headers["X-Consul-Token"] = MANAGEMENT_TOKEN

    def _secure_settings(self) -> dict[str, Any]:
        return {
            "acl": {
                "enabled": True,
                "default_policy": "deny",
                "tokens": {"initial_management": MANAGEMENT_TOKEN, "agent": MANAGEMENT_TOKEN},
            },
            "ca_file": "consul-agent-ca.pem",
            "cert_file": "dc1-server-consul-0.pem",
            "key_file": "dc1-server-consul-0-key.pem",
            "verify_incoming_https": True,
        }

    def _make_certificates(self) -> TLS:
        for arguments in (["ca", "create"], ["cert", "create", "-server"], ["cert", "create", "-client"]):
            command = [str(self._program), "tls", *arguments]
            subprocess.run(command, cwd=self._directory, check=True, capture_output=True)
        return TLS(
            ca_cert=str(self._directory / "consul-agent-ca.pem"),
            client_cert=str(self._directory / "dc1-client-consul-0.pem"),
            client_key=str(self._directory / "dc1-client-consul-0-key.pem"),
        )

    def __enter__(self) -> Self:
        command: list[str | Path] = ["sh", "-c", 'cd "$0" && exec "$@"', self._directory]
        arguments = ["agent", "-dev", "-bind", _HOST, "-config-file", "consul.json"]
        self._process = Process("consul", [*command, self._program, *arguments])
        try:
            eventually(self._has_leader, "Consul has a leader")
        except TimeoutError:
            self._process.kill()
            raise RuntimeError(f"Consul did not start:\n{self._process.log[-3000:]}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        self._process.kill()

    def _has_leader(self) -> bool:
        try:
            # A service of its own is listed once it leads.
            return "consul" in self.request("GET", "/v1/catalog/services")
        except requests.RequestException:
            return False

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the decoded answer to a request with all rights."""
        url = self.access.address + path
        with self._session.request(method, url, json=body, timeout=5) as response:
            response.raise_for_status()
            return response.json() if response.content else None

    def add_service(
        self,
        name: str,
        instances: Mapping[int, bool],
        *,
        address: str = "10.1.2.3",
        tags: tuple[str, ...] = (),
        meta: Mapping[str, str] | None = None,
    ) -> None:
        """Register instances by their ports, each with whether its check passes."""
        for port, is_passing in instances.items():
            self.request(
                "PUT",
                "/v1/agent/service/register",
                {
                    "Name": name,
                    "ID": f"{name}-{port}",
                    "Address": address,
                    "Port": port,
                    "Tags": tags,
                    "Meta": dict(meta or {}),
                    "Check": {"TTL": "1h", "Status": "passing" if is_passing else "critical"},
                },
            )

    def fail(self, name: str, port: int, *, output: str = "") -> None:
        """Make the check of an instance fail."""
        self.request("PUT", f"/v1/agent/check/fail/service:{name}-{port}?note={quote(output)}")

    def add_token(self, rules: str) -> str:
        """Return a token that has these rights alone."""
        name = f"policy-{abs(hash(rules))}"
        self.request("PUT", "/v1/acl/policy", {"Name": name, "Rules": rules})
        return str(self.request("PUT", "/v1/acl/token", {"Policies": [{"Name": name}]})["SecretID"])


class ForeignDNS:
    """A DNS server on loopback, over TCP, that answers that no name exists; if `silent`, it never answers.

    `address` is its `host:port`, `num_questions` the number of its queries.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self.num_questions = 0
        self._silent = silent
        self._ended = threading.Event()
        foreign = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                length = int.from_bytes(self.rfile.read(2), "big")
                foreign._answer(self, dns.message.from_wire(self.rfile.read(length)))

        self._server = socketserver.ThreadingTCPServer((_HOST, 0), Handler)
        self.address = f"{_HOST}:{self._server.server_address[1]}"

    def _answer(self, handler: socketserver.StreamRequestHandler, question: dns.message.Message) -> None:
        self.num_questions += 1
        if self._silent:
            self._ended.wait()
            return
        answer = dns.message.make_response(question)
        answer.set_rcode(dns.rcode.NXDOMAIN)
        # The root's authority is in the answer, as in those that resolvers get for Consul's names.
        answer.authority.append(dns.rrset.from_text(".", 60, "IN", "SOA", "a.root. b.root. 1 60 60 60 60"))
        wire = answer.to_wire()
        handler.wfile.write(len(wire).to_bytes(2, "big") + wire)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

"""The secrets of a cluster of nodes: an authority, a certificate for each node, gossip keys and tokens.

Their form is the variable `material` of terraform/modules/nodes.
"""

from __future__ import annotations

import base64
import secrets
import subprocess
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.nodes.plan import DATACENTER, REGION, Node

_DAYS = "2"
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, as PEM."""

    certificate: str
    key: str

    def as_material(self) -> dict[str, str]:
        """Return the pair under the names of the module's variable."""
        return {"certificate_pem": self.certificate, "private_key_pem": self.key}


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, directory: Path, name: str = "clipper tests") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.ca_path, self._key_path = directory / "ca.pem", directory / "ca-key.pem"
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        self._make(self.ca_path, self._key_path, name, usage)

    @property
    def ca_pem(self) -> str:
        """Return the authority's own certificate."""
        return self.ca_path.read_text()

    def certify(self, node: Node) -> Pair:
        """Return a certificate with which a node is Nomad's and Consul's server, or their client."""
        role = "server" if node.role == "server" else "client"
        names = [f"{role}.{REGION}.nomad", f"{role}.{DATACENTER}.consul", "localhost"]
        known = [*(f"DNS:{name}" for name in names), "IP:127.0.0.1", f"IP:{node.address}"]
        certificate, key = self._directory / f"{node.name}.pem", self._directory / f"{node.name}-key.pem"
        signed = ["-CA", str(self.ca_path), "-CAkey", str(self._key_path)]
        extensions = [
            "basicConstraints=critical,CA:FALSE",
            "keyUsage=critical,digitalSignature,keyEncipherment",
            "extendedKeyUsage=serverAuth,clientAuth",
            f"subjectAltName={','.join(known)}",
        ]
        added = [word for each in extensions for word in ("-addext", each)]
        self._make(certificate, key, node.name, [*signed, *added])
        return Pair(certificate.read_text(), key.read_text())

    def _make(self, certificate: Path, key: Path, name: str, more: list[str]) -> None:
        command = ["openssl", "req", "-x509", "-days", _DAYS, "-subj", f"/CN={name}", *_KEY]
        written = ["-out", str(certificate), "-keyout", str(key)]
        subprocess.run([*command, *more, *written], check=True, capture_output=True, text=True)


def make_gossip_key() -> str:
    """Return a key for the gossip of Consul and Nomad."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def make_token() -> str:
    """Return the secret of a token."""
    return str(uuid.uuid4())


def make_material(authority: Authority, nodes: Iterable[Node]) -> dict[str, Any]:
    """Return the module's variable `material` for these nodes."""
    known = list(nodes)
    return {
        "ca_pem": authority.ca_pem,
        "certificates": {node.name: authority.certify(node).as_material() for node in known},
        "consul_gossip_key": make_gossip_key(),
        "nomad_gossip_key": make_gossip_key(),
        "consul_management_token": make_token(),
        "consul_agent_tokens": {node.name: make_token() for node in known},
        "consul_nomad_server_token": make_token(),
        "consul_nomad_client_token": make_token(),
        "consul_fabio_token": make_token(),
    }

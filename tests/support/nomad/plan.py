"""The plan of a real cluster on one machine, and its site. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.nomad.tools import Tools

DATACENTER = "dc1"
REGION = "global"


@dataclass(frozen=True)
class Ports:
    """The ports of the agents; the defaults are those of Nomad, Consul and Fabio."""

    nomad_http: int = 4646
    nomad_rpc: int = 4647
    nomad_serf: int = 4648
    consul_http: int = 8500
    consul_dns: int = 8600
    consul_server: int = 8300
    consul_serf: int = 8301
    fabio_http: int = 9999
    fabio_ui: int = 9998
    #: One for each Clipper cluster.
    fabio_tcp: tuple[int, ...] = tuple(range(7000, 7012))
    #: What Nomad gives to tasks: first and last. Two Nomads on one machine must not share any, nor may they
    #: give what Clipper's own managers choose from (20000 to 29999) or the kernel (from 32768).
    tasks: tuple[int, int] = (30000, 30899)

    def moved(self, by: int, tasks: tuple[int, int]) -> Ports:
        """Return other ports, for a second cluster on the machine."""
        numbers = {name: value + by for name, value in vars(self).items() if isinstance(value, int)}
        return Ports(**numbers, fabio_tcp=tuple(port + by for port in self.fabio_tcp), tasks=tasks)


@dataclass(frozen=True)
class ClusterPlan:
    """One server and client of Nomad, one of Consul, one Fabio."""

    name: str = "plain"
    ports: Ports = field(default_factory=Ports)
    #: How many devices of the group `nomad/file/mock` the node has.
    devices: int = 2
    #: Whether Nomad and Consul refuse requests without a token.
    acl: bool = False
    #: Whether Nomad's API speaks TLS, with a CA of its own.
    tls: bool = False
    #: Whether that API requires a client's certificate.
    verify_https_client: bool = False
    denied_drivers: tuple[str, ...] = ()

    @property
    def node_name(self) -> str:
        """Return the name of the one node."""
        return f"clipper-{self.name}"

    @property
    def drivers(self) -> frozenset[str]:
        """Return the task drivers that must be healthy."""
        return frozenset({"docker", "raw_exec"}.difference(self.denied_drivers))


PLAIN = ClusterPlan()
#: For the contract suite, so that it runs beside the tests that restart the agents of the first.
CONTRACT = ClusterPlan("contract", ports=Ports().moved(2000, (30900, 31799)))
SECURE = ClusterPlan(
    "secure", ports=Ports().moved(1000, (31800, 32699)), acl=True, tls=True, denied_drivers=("docker",)
)


def _secret() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Secrets:
    """The tokens of a cluster with ACLs, chosen before it starts."""

    nomad_management: str = field(default_factory=_secret)
    consul_management: str = field(default_factory=_secret)
    consul_agent: str = field(default_factory=_secret)
    consul_nomad: str = field(default_factory=_secret)
    consul_fabio: str = field(default_factory=_secret)


@dataclass(frozen=True)
class Site:
    """The site of a plan: its folder, the Docker bridge, the programs, the secrets."""

    plan: ClusterPlan
    directory: Path
    interface: str
    address: str
    tools: Tools
    secrets: Secrets

    @property
    def tls_dir(self) -> Path:
        """Return the folder of the CA and the certificates."""
        return self.directory / "tls"

    @property
    def ca_path(self) -> Path:
        """Return the certificate of the CA of Nomad's API."""
        return self.tls_dir / "nomad-agent-ca.pem"

    @property
    def client_certificate(self) -> tuple[Path, Path]:
        """Return a client's certificate and key for Nomad's API."""
        return self.tls_dir / f"{REGION}-cli-nomad.pem", self.tls_dir / f"{REGION}-cli-nomad-key.pem"

    @property
    def nomad_url(self) -> str:
        """Return the URL of Nomad's API and UI."""
        scheme = "https" if self.plan.tls else "http"
        return f"{scheme}://{self.address}:{self.plan.ports.nomad_http}"

    @property
    def consul_url(self) -> str:
        """Return the URL of Consul's API and UI."""
        return f"http://{self.address}:{self.plan.ports.consul_http}"

    @property
    def fabio_ui_url(self) -> str:
        """Return the URL of Fabio's UI."""
        return f"http://{self.address}:{self.plan.ports.fabio_ui}"

    def environment(self) -> dict[str, str]:
        """Return the variables with which Nomad's, Consul's and Clipper's clients find the cluster."""
        ports = self.plan.ports
        found = {
            "NOMAD_ADDR": self.nomad_url,
            "CONSUL_HTTP_ADDR": f"{self.address}:{ports.consul_http}",
            "CLIPPER_FABIO_ADDRESS": self.address,
            "CLIPPER_FABIO_HTTP_PORT": str(ports.fabio_http),
            "CLIPPER_FABIO_TCP_PORT": str(ports.fabio_tcp[0]),
            "CLIPPER_DNS": f"{self.address}:{ports.consul_dns}",
        }
        if self.plan.tls:
            found["NOMAD_CACERT"] = str(self.ca_path)
        if self.plan.verify_https_client:
            certificate, key = self.client_certificate
            found |= {"NOMAD_CLIENT_CERT": str(certificate), "NOMAD_CLIENT_KEY": str(key)}
        if self.plan.acl:
            found["NOMAD_TOKEN"] = self.secrets.nomad_management
            found["CONSUL_HTTP_TOKEN"] = self.secrets.consul_management
        return found

"""ACL policies and tokens in Consul and Nomad: those of a cluster's agents, and those of tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Protocol

from tests.support.nomad.plan import Site

_ANONYMOUS = "00000000-0000-0000-0000-000000000002"
_READ_CATALOG = 'node_prefix "" { policy = "read" } service_prefix "" { policy = "read" }'
_AGENT_RULES = 'node_prefix "" { policy = "write" } service_prefix "" { policy = "read" }'
_NOMAD_RULES = (
    'agent_prefix "" { policy = "read" } node_prefix "" { policy = "read" } '
    'service_prefix "" { policy = "write" }'
)
_FABIO_RULES = (
    f'agent_prefix "" {{ policy = "read" }} key_prefix "fabio" {{ policy = "read" }} {_READ_CATALOG}'
)


class API(Protocol):
    """Consul's API or Nomad's, with all rights."""

    site: Site

    def request(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """Return the decoded answer."""


def make_agents_tokens(consul: API) -> None:
    """Make the tokens of the three agents, and give Consul its own; doing it twice is fine."""
    secrets = consul.site.secrets
    policies = {policy["Name"] for policy in consul.request("GET", "/v1/acl/policies")}
    if "fabio" not in policies:
        add_consul_token(consul, "agent", _AGENT_RULES, secrets.consul_agent)
        add_consul_token(consul, "nomad", _NOMAD_RULES, secrets.consul_nomad)
        add_consul_token(consul, "fabio", _FABIO_RULES, secrets.consul_fabio)
    consul.request("PUT", "/v1/agent/token/agent", {"Token": secrets.consul_agent})


def add_consul_token(consul: API, name: str, rules: str, secret: str | None = None) -> str:
    """Make a policy in Consul, under a new name, and return the secret of a token with it alone."""
    _add_consul_policy(consul, name, rules)
    body: dict[str, Any] = {"Description": name, "Policies": [{"Name": name}]}
    made = consul.request("PUT", "/v1/acl/token", body | ({"SecretID": secret} if secret else {}))
    return str(made["SecretID"])


@contextlib.contextmanager
def anonymous_rights(consul: API, name: str, rules: str) -> Iterator[None]:
    """Give the rights of a new policy, and no others, to requests without a token, for a block.

    All queries of Consul's DNS are among them. Afterwards they have the rights that they had before.
    """
    _add_consul_policy(consul, name, rules)
    path = f"/v1/acl/token/{_ANONYMOUS}"
    before = consul.request("GET", path).get("Policies") or []
    consul.request("PUT", path, {"Policies": [{"Name": name}]})
    try:
        yield
    finally:
        consul.request("PUT", path, {"Policies": [{"Name": each["Name"]} for each in before]})


def add_nomad_token(nomad: API, name: str, rules: str) -> str:
    """Make a policy in Nomad and a client token that has it alone, and return the token's secret."""
    nomad.request("POST", f"/v1/acl/policy/{name}", {"Name": name, "Rules": rules})
    made = nomad.request("POST", "/v1/acl/token", {"Name": name, "Type": "client", "Policies": [name]})
    return str(made["SecretID"])


def _add_consul_policy(consul: API, name: str, rules: str) -> None:
    consul.request("PUT", "/v1/acl/policy", {"Name": name, "Rules": rules})

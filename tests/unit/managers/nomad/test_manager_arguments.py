"""The Nomad manager's constructor: the names and positions that were proposed for Clipper."""

from __future__ import annotations

import inspect

from clipper_nomad import NomadContainerManager

PROPOSED = (
    "nomad_ip, dns, load_balancer, cluster_name='default-cluster', datacenters, redis_ip=None, "
    "redis_port=6379, namespace=None, create_namespace_if_not_exists=False"
)
#: Here these have a default, or another one: any agent, Consul, no load balancer, all datacenters.
_OTHER_DEFAULTS = {"nomad_ip", "dns", "load_balancer", "datacenters"}


def test_the_proposed_arguments_keep_their_positions_and_defaults() -> None:
    parameters = inspect.signature(NomadContainerManager).parameters.values()
    positional = [each for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD]
    shown = [
        each.name if each.name in _OTHER_DEFAULTS else f"{each.name}={each.default!r}" for each in positional
    ]
    assert ", ".join(shown) == PROPOSED
    assert all(each.kind is each.KEYWORD_ONLY for each in parameters if each not in positional)

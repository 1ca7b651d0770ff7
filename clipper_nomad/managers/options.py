"""The options of a cluster that the command line knows, whichever manager they go to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clipper_nomad.managers.ports import choose_free, is_free

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class ClusterOptions:
    """The command line's options of one cluster; see `ContainerManager.from_cli()`.

    Only the cluster's name and `state_dir` are given for a cluster that runs already: a manager reads the
    addresses from where it keeps them. `replaces_taken_ports` lets a manager take free ports for those that
    others have, as the demo does.
    """

    cluster_name: str = "default-cluster"
    state_dir: Path | None = None
    host: str = _LOOPBACK
    query_port: int = 1337
    management_port: int = 1338
    rpc_port: int = 7000
    redis_port: int = 6379
    redis_ip: str | None = None
    replaces_taken_ports: bool = False

    @property
    def has_default_addresses(self) -> bool:
        """Return whether all addresses that frontends would listen on are the defaults."""
        default = ClusterOptions()
        return (self.host, self.query_port, self.management_port, self.rpc_port) == (
            default.host,
            default.query_port,
            default.management_port,
            default.rpc_port,
        )

    def settle_ports(self) -> ClusterOptions:
        """Return the options with free ports in the place of taken ones, if that is allowed."""
        if not self.replaces_taken_ports:
            return self
        wanted = [self.query_port, self.management_port, self.rpc_port, self.redis_port]
        free = choose_free(_LOOPBACK, len(wanted), wanted)
        query, management, rpc, redis = (
            port if is_free(_LOOPBACK, port) else other for port, other in zip(wanted, free, strict=True)
        )
        return replace(
            self,
            query_port=query,
            management_port=management,
            rpc_port=rpc,
            redis_port=redis if self.redis_ip is None else self.redis_port,
        )

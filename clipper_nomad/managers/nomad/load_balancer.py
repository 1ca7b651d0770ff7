"""The load balancer in front of a cluster's services: Fabio, which takes its routes from Consul, or none.

Pure: addresses, tags, and the conflicts between clusters that share a load balancer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from clipper_container.addresses import HostPort, SrvName, parse_address
from clipper_nomad.errors import ContainerManagerError

DEFAULT_CLUSTER = "default-cluster"


@dataclass(frozen=True)
class Conflict:
    """A part of the load balancer that another service uses; `what` is, for example, `TCP port 7000`."""

    what: str
    service: str

    def __str__(self) -> str:
        return f"{self.what} is the route of the service {self.service!r}"


class LoadBalancer(Protocol):
    """A load balancer that takes its routes from the tags of services in Consul."""

    def query_address(self, cluster_name: str) -> str | None:
        """Return the address for queries, as `host:port/path`; None: the services' own addresses."""

    def management_address(self, cluster_name: str) -> str | None:
        """Return the management frontend's address, as `host:port/path`; None: its own address."""

    def rpc_address(self) -> str | None:
        """Return the `host:port` that model containers start from; None: the services' own addresses."""

    def query_tags(self, cluster_name: str) -> tuple[str, ...]:
        """Return the tags of the query frontends' REST service."""

    def rpc_tags(self) -> tuple[str, ...]:
        """Return the tags of the query frontends' RPC service."""

    def management_tags(self, cluster_name: str) -> tuple[str, ...]:
        """Return the tags of the management frontend's service."""

    def find_conflicts(
        self, cluster_name: str, tags: Mapping[str, Iterable[str]], own_services: Collection[str]
    ) -> tuple[Conflict, ...]:
        """Return the routes of this cluster that other services have.

        `tags` are the tags of every service in Consul, by its name; `own_services` are the cluster's names.
        """


class FabioLoadBalancer:
    """Fabio: queries by path on its HTTP proxy, and RPC on a TCP port of its own for each cluster.

    The default cluster is at `/clipper/`, another at `/clipper-<cluster>/`. Fabio has a route to the
    management frontend only with `route_management`: anyone who reaches Fabio could change the cluster.
    That route is `/clipper.management/` or `/clipper-<cluster>.management/`: no cluster's name has a dot, so
    no cluster is at that path. `tag_prefix` is Fabio's `registry.consul.tagprefix`.
    """

    def __init__(
        self,
        address: str = "fabio.service.consul",
        http_proxy_port: int = 9999,
        tcp_proxy_port: int = 7000,
        *,
        route_management: bool = False,
        tag_prefix: str = "urlprefix-",
    ) -> None:
        self._http = _host_port(address, http_proxy_port, "http_proxy_port")
        self._tcp = _host_port(address, tcp_proxy_port, "tcp_proxy_port")
        self._route_management = route_management
        self._tag_prefix = tag_prefix

    def query_address(self, cluster_name: str) -> str:
        """Return `host:port/clipper` or `host:port/clipper-<cluster>`."""
        return f"{self._http}{_path(cluster_name)}"

    def management_address(self, cluster_name: str) -> str | None:
        """Return `host:port/clipper.management` or the like; None without such a route."""
        return f"{self._http}{_management_path(cluster_name)}" if self._route_management else None

    def rpc_address(self) -> str:
        """Return Fabio's TCP port, which leads to any of the query frontends."""
        return str(self._tcp)

    def query_tags(self, cluster_name: str) -> tuple[str, ...]:
        """Return the route to the query frontends."""
        return (self._http_route(_path(cluster_name)),)

    def rpc_tags(self) -> tuple[str, ...]:
        """Return the route to the query frontends' RPC."""
        return (f"{self._tag_prefix}:{self._tcp.port} proto=tcp",)

    def management_tags(self, cluster_name: str) -> tuple[str, ...]:
        """Return the route to the management frontend, if there is one."""
        return (self._http_route(_management_path(cluster_name)),) if self._route_management else ()

    def find_conflicts(
        self, cluster_name: str, tags: Mapping[str, Iterable[str]], own_services: Collection[str]
    ) -> tuple[Conflict, ...]:
        """Return the other services at the cluster's TCP port, or at or below one of its paths."""
        paths = [_path(cluster_name)] + [_management_path(cluster_name)] * self._route_management
        found = [
            Conflict(what, service)
            for service, its_tags in sorted(tags.items())
            if service not in own_services
            for tag in its_tags
            if (what := self._taken_by(tag, paths))
        ]
        return tuple(dict.fromkeys(found))

    def _http_route(self, path: str) -> str:
        # Routes match by prefix: without its last slash, that of /clipper would catch /clipper-b/ too.
        return f"{self._tag_prefix}{path}/ strip={path}"

    def _taken_by(self, tag: str, paths: list[str]) -> str | None:
        """Return the part of ours that a tag takes: Fabio's routes start with `host/path` or `host:port`."""
        route, *options = tag.strip().removeprefix(self._tag_prefix).split() or [""]
        if not tag.strip().startswith(self._tag_prefix):
            return None
        if "proto=tcp" in options:
            is_ours = route.rpartition(":")[2] == str(self._tcp.port)
            return f"TCP port {self._tcp.port} of {self._tcp.host}" if is_ours else None
        host, slash, path = route.partition("/")
        # A route for another host name takes no request to ours.
        is_ours = host in ("", self._http.host) and f"{slash}{path}".startswith(tuple(f"{p}/" for p in paths))
        return f"path {slash}{path} of {self._http}" if is_ours else None


class NoLoadBalancer:
    """No load balancer: clients use the services' own addresses in Consul."""

    def query_address(self, cluster_name: str) -> None:
        """Return None: queries go to any of the query frontends."""

    def management_address(self, cluster_name: str) -> None:
        """Return None: the management frontend has one address."""

    def rpc_address(self) -> None:
        """Return None: model containers start from an SRV name."""

    def query_tags(self, cluster_name: str) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's
        """Return no tags."""
        return ()

    def rpc_tags(self) -> tuple[str, ...]:
        """Return no tags."""
        return ()

    def management_tags(self, cluster_name: str) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's
        """Return no tags."""
        return ()

    def find_conflicts(
        self,
        cluster_name: str,  # noqa: ARG002 - the protocol's
        tags: Mapping[str, Iterable[str]],  # noqa: ARG002 - the protocol's
        own_services: Collection[str],  # noqa: ARG002 - the protocol's
    ) -> tuple[Conflict, ...]:
        """Return nothing: nothing is shared."""
        return ()


def _path(cluster_name: str) -> str:
    return "/clipper" if cluster_name == DEFAULT_CLUSTER else f"/clipper-{cluster_name}"


def _management_path(cluster_name: str) -> str:
    return f"{_path(cluster_name)}.management"


def _host_port(address: str, port: int, setting: str) -> HostPort:
    text = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    try:
        found = parse_address(text)
    except ValueError as error:
        raise ContainerManagerError(
            f"FabioLoadBalancer was given address={address!r} and {setting}={port!r}: {error}. Pass a host "
            "or an IP address, and the ports by themselves."
        ) from error
    if isinstance(found, SrvName):
        raise ContainerManagerError(
            f"FabioLoadBalancer was given address={address!r}: pass a host or an IP address, not an SRV name."
        )
    return found

"""The routes that a cluster takes on a shared load balancer, and the refusal of routes that are taken."""

from __future__ import annotations

import logging

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import Service, meta, service_name
from clipper_nomad.managers.nomad.clients.consul import ConsulCatalog
from clipper_nomad.managers.nomad.cluster import records
from clipper_nomad.managers.nomad.cluster.cluster_jobs import ClusterJobs
from clipper_nomad.managers.nomad.load_balancer import LoadBalancer

logger = logging.getLogger("clipper")

_SERVICES: tuple[Service, ...] = ("query", "rpc", "management", "redis", "model")


class FabioRoutes:
    """The routes of one cluster."""

    def __init__(
        self,
        cluster_name: str,
        load_balancer: LoadBalancer,
        cluster_jobs: ClusterJobs,
        catalog: ConsulCatalog,
    ) -> None:
        self._cluster_name = cluster_name
        self._load_balancer = load_balancer
        self._cluster_jobs = cluster_jobs
        self._catalog = catalog

    def refuse_taken(self, rpc_address: str | None) -> None:
        """Raise ContainerManagerError if another cluster or service has a route that this one takes."""
        if self._load_balancer.query_address(self._cluster_name) is None and rpc_address is None:
            return
        self._refuse_neighbour(rpc_address)
        try:
            tags = self._catalog.service_tags()
        except ContainerManagerError as error:
            logger.warning("Could not check for conflicting Fabio routes: %s", error)
            return
        own = [service_name(self._cluster_name, service) for service in _SERVICES]
        for conflict in self._load_balancer.find_conflicts(self._cluster_name, tags, own):
            raise ContainerManagerError(
                f"Cannot start cluster {self._cluster_name!r}: {conflict}. Give another tcp_proxy_port or "
                "cluster_name."
            )

    def _refuse_neighbour(self, rpc_address: str | None) -> None:
        """Refuse an RPC port of another cluster's jobs: a cluster that is starting is not in Consul yet."""
        for job in self._cluster_jobs.find_neighbours():
            if rpc_address is not None and records.read_rpc_address(job.meta) == rpc_address:
                raise ContainerManagerError(
                    f"Cannot start cluster {self._cluster_name!r}: TCP port {rpc_address} of the load "
                    f"balancer is taken by cluster {job.meta[meta.CLUSTER]!r}, whose models would reach this "
                    "one. Give another tcp_proxy_port."
                )

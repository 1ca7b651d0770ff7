"""Ports of a cluster's frontends and Redis: chosen for a record, and those to check before a start."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from clipper_nomad.managers import ports
from clipper_nomad.managers.local import programs
from clipper_nomad.managers.local.state import ClusterRecord, FrontendRecord


def health_ports_of(record: ClusterRecord) -> dict[str, int]:
    """Return the port of each frontend's own health check (several share the query port)."""
    found = {programs.MANAGEMENT_FRONTEND: record.management_port}
    return found | {programs.query_frontend_name(each.index): each.admin_port for each in record.frontends}


def with_frontends(record: ClusterRecord, existing: tuple[FrontendRecord, ...]) -> ClusterRecord:
    """Return the record with as many frontends as its spec wants, the existing ones first."""
    wanted = record.spec.num_query_frontends
    kept = existing[:wanted]
    new_indices = range(len(kept), wanted)
    admin_ports = ports.choose_free(record.host, len(new_indices), _all_ports(record, wanted))
    new = [
        FrontendRecord(index, record.rpc_port + index, port)
        for index, port in zip(new_indices, admin_ports, strict=True)
    ]
    return replace(record, frontends=(*kept, *new))


def _all_ports(record: ClusterRecord, num_frontends: int) -> set[int]:
    rpc_ports = range(record.rpc_port, record.rpc_port + num_frontends)
    return {record.query_port, record.management_port, record.redis_port, *rpc_ports}


def ports_of_missing(record: ClusterRecord, kept: Collection[str]) -> list[tuple[str, int, str]]:
    """Return the ports that the caller chose, with their settings, of the programs that are not kept."""
    found = []
    query_frontends = [
        programs.query_frontend_name(index) for index in range(record.spec.num_query_frontends)
    ]
    for index, name in enumerate(query_frontends):
        if name not in kept:
            found.append(
                (record.host, record.rpc_port + index, "rpc_port" + (f" + {index}" if index else ""))
            )
    if not set(query_frontends) & set(kept):
        found.append((record.host, record.query_port, "query_port"))
    if programs.MANAGEMENT_FRONTEND not in kept:
        found.append((record.host, record.management_port, "management_port"))
    if programs.REDIS not in kept and record.redis_ip is None:
        found.append((programs.REDIS_HOST, record.redis_port, "redis_port"))
    return found

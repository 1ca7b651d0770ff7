"""A connected cluster, wired of the parts that act on it, and the arguments of start_clipper()."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from clipper_nomad import names
from clipper_nomad.errors import ClipperWarning
from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.operations.applications import Applications
from clipper_nomad.operations.deployment import Deployment
from clipper_nomad.operations.images import Images
from clipper_nomad.operations.models import Models
from clipper_nomad.operations.replicas import Replicas
from clipper_nomad.operations.stopping import Stopping
from clipper_nomad.types import ClusterSpec, NotGiven

#: Clipper's defaults, which differ from ours: they stand for the query frontend's own.
CLIPPER_REQUEST_TIMEOUT_S = 5
CLIPPER_CONTENT_TIMEOUT_S = 300


@dataclass(frozen=True)
class Cluster:
    """The parts that act on one connected cluster."""

    manager: ContainerManager
    management: ManagementClient
    applications: Applications
    models: Models
    deployment: Deployment
    replicas: Replicas
    stopping: Stopping
    images: Images

    @classmethod
    def behind(cls, manager: ContainerManager) -> Cluster:
        """Return the parts for the cluster that `manager` is connected to."""
        management = ManagementClient(manager.get_management_address)
        models = Models(management)
        images = Images(manager, management)
        return cls(
            manager=manager,
            management=management,
            applications=Applications(management),
            models=models,
            deployment=Deployment(manager, management),
            replicas=Replicas(manager, management),
            stopping=Stopping(manager, management, images),
            images=images,
        )


def make_cluster_spec(
    *,
    query_frontend_image: str | None,
    mgmt_frontend_image: str | None,
    cache_size: int,
    request_timeout_s: float,
    content_timeout_s: float,
    num_frontend_replicas: int,
) -> ClusterSpec:
    """Return the cluster to start. Raises ClipperException for numbers out of range.

    An argument with the mark NotGiven, or an image of None, is not given.
    """
    arguments = {
        "num_query_frontends": num_frontend_replicas,
        "prediction_cache_bytes": cache_size,
        "header_timeout_s": request_timeout_s,
        "body_timeout_s": content_timeout_s,
        "query_frontend_image": query_frontend_image,
        "management_frontend_image": mgmt_frontend_image,
    }
    return ClusterSpec(
        num_query_frontends=int(names.parse_whole_number(num_frontend_replicas, "num_frontend_replicas", 1)),
        prediction_cache_bytes=int(names.parse_whole_number(cache_size, "cache_size")),
        header_timeout_s=_parse_timeout(
            request_timeout_s, CLIPPER_REQUEST_TIMEOUT_S, "qf_http_timeout_request"
        ),
        body_timeout_s=_parse_timeout(
            content_timeout_s, CLIPPER_CONTENT_TIMEOUT_S, "qf_http_timeout_content"
        ),
        query_frontend_image=query_frontend_image,
        management_frontend_image=mgmt_frontend_image,
        unset=frozenset(
            name for name, value in arguments.items() if value is None or isinstance(value, NotGiven)
        ),
    )


def warn_meaningless(**given: tuple[object, object]) -> None:
    """Warn of each argument, a pair of its value and Clipper's default, if the two differ."""
    for name, (value, default) in given.items():
        if value != default:
            warnings.warn(f"{name} has no effect here and is ignored", ClipperWarning, stacklevel=3)


def _parse_timeout(seconds: float, clipper_default_s: float, what: str) -> float | None:
    parsed = names.parse_seconds(seconds, what)
    return None if parsed == clipper_default_s else parsed

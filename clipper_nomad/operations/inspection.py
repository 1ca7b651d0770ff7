"""The query frontends' metrics, read from Prometheus' text format."""

from __future__ import annotations

import logging
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from clipper_nomad.errors import NotReachableError
from clipper_nomad.management import ManagementClient
from clipper_nomad.types import QueryFrontend

logger = logging.getLogger("clipper")

Metrics = dict[str, list[dict[str, Any]]]

_TIMEOUT_S = 5.0


def read_metrics(management: ManagementClient) -> dict[str, Metrics]:
    """Return each live query frontend's metrics: by frontend id and metric name, a list of labels and values.

    A frontend that does not answer is left out, with a warning. Raises NotReachableError if none answers.
    """
    frontends = management.get_all_query_frontends()
    found = {}
    for frontend in frontends:
        try:
            found[frontend.id] = parse_metrics(_fetch(frontend))
        except (requests.RequestException, ValueError) as exc:
            logger.warning("Could not read the metrics of query frontend %s: %s", frontend.id, exc)
    if not found:
        raise NotReachableError(
            f"Could not read the metrics of any of the {len(frontends)} live query frontends: see their logs."
        )
    return found


def parse_metrics(text: str) -> Metrics:
    """Return the samples of a Prometheus text by name. Raises ValueError if it is malformed."""
    metrics: Metrics = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metrics.setdefault(sample.name, []).append({"labels": sample.labels, "value": sample.value})
    return metrics


def _fetch(frontend: QueryFrontend) -> str:
    with requests.Session() as session:
        # A proxy for the internet does not reach the cluster.
        session.trust_env = False
        response = session.get(f"http://{frontend.admin_address}/metrics", timeout=_TIMEOUT_S)
        response.raise_for_status()
        return response.text

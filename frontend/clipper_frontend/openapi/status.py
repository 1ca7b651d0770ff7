"""The paths that are read with GET in the document: health, metrics, and the document itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipper_frontend import health
from clipper_frontend.openapi.parts import (
    MANAGEMENT_FRONTEND,
    QUERY_FRONTEND,
    json_content,
    operation,
    path,
    response,
    text_content,
)

_BOTH = (QUERY_FRONTEND, MANAGEMENT_FRONTEND)
_METRICS = {"200": response("All metrics, in Prometheus's text format.", text_content())}


def status_paths() -> dict[str, Any]:
    """Return the paths of health, metrics and the document."""
    return {
        health.LIVE_PATH: path(_BOTH, get=_get("live", "Return whether the process lives.")),
        health.READY_PATH: path(_BOTH, get=_health("ready", "Return whether requests should be sent here.")),
        "/health/rpc": path(
            [QUERY_FRONTEND], get=_health("rpc_ready", "Return whether model containers should connect here.")
        ),
        health.METRICS_PATH: path(_BOTH, get=operation("metrics", "Return the metrics.", _METRICS)),
        "/admin/metrics": path(
            [MANAGEMENT_FRONTEND], get=operation("admin_metrics", "Return the metrics.", _METRICS)
        ),
        "/admin/ping": path([MANAGEMENT_FRONTEND], get=_get("ping", "Return PONG.")),
        "/admin/openapi.json": path([MANAGEMENT_FRONTEND], get=_openapi()),
    }


def _get(name: str, doc: str, further: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return operation(name, doc, {"200": response("Yes.", text_content()), **(further or {})})


def _health(name: str, doc: str) -> dict[str, Any]:
    return _get(name, doc, {"503": response("No; the text says why.", text_content())})


def _openapi() -> dict[str, Any]:
    document = json_content({"type": "object"})
    return operation("openapi", "Return this document.", {"200": response("This document.", document)})

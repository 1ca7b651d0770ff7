"""The paths and answers of health checks, the same on both frontends' REST and admin ports."""

from __future__ import annotations

LIVE_PATH = "/health/live"
READY_PATH = "/health/ready"
METRICS_PATH = "/metrics"

OK = "ok"
#: Behind OK, since queries are answered: a frontend that left the rotation would end that.
REPLACED = (
    "Redis has lost the registry: serving what was known of it; `clipper-nomad registry restore` puts it back"
)
DRAINING = "draining: this process was told to stop"

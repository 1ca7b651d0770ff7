"""The paths and answers of health checks, the same on both frontends' REST and admin ports."""

from __future__ import annotations

LIVE_PATH = "/health/live"
READY_PATH = "/health/ready"
METRICS_PATH = "/metrics"

OK = "ok"
DRAINING = "draining: this process was told to stop"

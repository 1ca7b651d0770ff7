"""The settings that frontends inherit from the environment of whoever starts the cluster."""

from __future__ import annotations

import os

_ALWAYS = ("CLIPPER_DNS", "CLIPPER_LOG_LEVEL")
#: Credentials and TLS of a Redis elsewhere; a cluster's own Redis has neither.
_REDIS_PREFIX = "CLIPPER_REDIS_"


def forwarded_settings(*, has_own_redis: bool) -> dict[str, str]:
    """Return those of this process's CLIPPER_* variables that are meant for a cluster's frontends."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _ALWAYS or (not has_own_redis and name.startswith(_REDIS_PREFIX))
    }

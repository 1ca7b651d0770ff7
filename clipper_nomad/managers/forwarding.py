"""The settings that frontends inherit from the environment of whoever starts the cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping

ALLOWED_HOSTS = "CLIPPER_ALLOWED_HOSTS"
_ALWAYS = ("CLIPPER_DNS", "CLIPPER_LOG_LEVEL", ALLOWED_HOSTS)
#: Credentials and TLS of a Redis elsewhere; a cluster's own Redis has neither.
_REDIS_PREFIX = "CLIPPER_REDIS_"


def with_allowed_hosts(environment: Mapping[str, str], *names: str) -> dict[str, str]:
    """Return a management frontend's environment in which it may also be asked for by these names."""
    given = environment.get(ALLOWED_HOSTS, "").split(",")
    return {**environment, ALLOWED_HOSTS: ",".join(dict.fromkeys(filter(None, [*given, *names])))}


def forwarded_settings(*, has_own_redis: bool) -> dict[str, str]:
    """Return those of this process's CLIPPER_* variables that are meant for a cluster's frontends."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _ALWAYS or (not has_own_redis and name.startswith(_REDIS_PREFIX))
    }

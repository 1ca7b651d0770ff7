"""Free TCP ports of this machine: the check before a cluster starts, and the choice of further ports."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection, Sequence

from clipper_nomad.errors import ContainerManagerError

#: Below the range of outgoing ports (from 32768 on Linux, from 49152 elsewhere), so that no connection takes
#: the port of a process while it restarts.
_CHOSEN = range(20000, 30000)


def is_free(host: str, port: int) -> bool:
    """Return whether nothing listens on `host`:`port`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: connections that linger after a stop do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(ports: Sequence[tuple[str, int, str]]) -> None:
    """Raise ContainerManagerError if one of `ports` (host, port, setting) is taken, or wanted twice."""
    seen: dict[int, str] = {}
    problems = []
    for host, port, setting in ports:
        if port in seen:
            problems.append(f"port {port} is wanted twice, by {seen[port]} and {setting}")
        elif not is_free(host, port):
            problems.append(f"port {port} ({setting}) is taken on {host}")
        seen[port] = setting
    if problems:
        raise ContainerManagerError(
            f"Cannot start the cluster: {'; '.join(problems)}. Stop what listens there, or choose other "
            "ports by these settings."
        )


def choose_free(host: str, count: int, avoid: Collection[int] = ()) -> list[int]:
    """Return `count` different free ports on `host`, none of them in `avoid`."""
    chosen: list[int] = []
    # A random start keeps two clusters that start at the same time apart.
    start = random.randrange(len(_CHOSEN))
    for offset in range(len(_CHOSEN)):
        if len(chosen) == count:
            break
        port = _CHOSEN[(start + offset) % len(_CHOSEN)]
        if port not in avoid and is_free(host, port):
            chosen.append(port)
    if len(chosen) < count:
        raise ContainerManagerError(
            f"Cannot find {count} free ports on {host} from {_CHOSEN.start} to {_CHOSEN.stop - 1}: "
            "stop what listens there"
        )
    return chosen

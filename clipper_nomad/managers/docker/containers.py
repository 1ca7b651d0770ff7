"""Containers as the engine describes them, reduced to what the manager asks about. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clipper_nomad.managers import messages

RUNNING = "running"
#: After this time the engine itself counts a container as started well, and its backoff begins again.
_STARTED_WELL_S = 10.0
#: A first end may come after long service. A second one, while the container is not well, is a pattern.
_MIN_ENDS_OF_A_PATTERN = 2
_DEFAULT_STOP_TIMEOUT_S = 10
_FRACTION_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


@dataclass(frozen=True)
class Container:
    """A container at one moment. `status` is Docker's word; `last_run_s` is None while the container runs.

    `health` is the result of its image's own check, None if the image has none.
    """

    id: str
    name: str
    image: str
    labels: Mapping[str, str]
    status: str
    started_at: datetime.datetime
    last_run_s: float | None
    restart_count: int
    exit_code: int
    out_of_memory: bool
    error: str
    health: str | None
    stop_timeout_s: int
    networks: tuple[str, ...]
    published: Mapping[int, int]

    @property
    def is_running(self) -> bool:
        """Return whether it runs; a container that waits for its restart does not."""
        return self.status == RUNNING

    def has_ended(self) -> bool:
        """Return whether it has ended since it was created, whether or not it runs again."""
        return self.restart_count > 0 or self.status in ("restarting", "exited", "dead")

    def keeps_failing(self, ask_now: Callable[[], datetime.datetime]) -> bool:
        """Return whether it ended at its start, or more than once, and is not well now.

        `ask_now` returns the time by the engine's clock; it is called only if the answer depends on it.
        """
        if self.is_running:
            if self.restart_count < _MIN_ENDS_OF_A_PATTERN or self.health == "healthy":
                return False
            return (ask_now() - self.started_at).total_seconds() < _STARTED_WELL_S
        if not self.has_ended() or self.last_run_s is None:
            return False
        return self.last_run_s < _STARTED_WELL_S or self.restart_count >= _MIN_ENDS_OF_A_PATTERN

    def describe_end(self) -> str:
        """Return how it ended the last time, as far as the engine knows."""
        if self.out_of_memory:
            return "it took more memory than its limit"
        if self.error:
            return self.error
        if self.is_running:
            return "it was started again"
        return messages.describe_exit(self.exit_code)


def read(attrs: Mapping[str, Any]) -> Container:
    """Return a container from the engine's answer to an inspection."""
    state, config = attrs["State"], attrs["Config"]
    started, finished = parse_time(state["StartedAt"]), parse_time(state["FinishedAt"])
    is_running = state["Status"] == RUNNING
    return Container(
        id=attrs["Id"],
        name=attrs["Name"].removeprefix("/"),
        image=attrs["Image"],
        labels=config.get("Labels") or {},
        status=state["Status"],
        started_at=started,
        last_run_s=None if is_running else (finished - started).total_seconds(),
        restart_count=attrs.get("RestartCount", 0),
        exit_code=state["ExitCode"],
        out_of_memory=state["OOMKilled"],
        error=state["Error"],
        health=(state.get("Health") or {}).get("Status"),
        stop_timeout_s=config.get("StopTimeout") or _DEFAULT_STOP_TIMEOUT_S,
        networks=tuple(attrs["NetworkSettings"]["Networks"]),
        published=_published(attrs["HostConfig"].get("PortBindings") or {}),
    )


def parse_time(text: str) -> datetime.datetime:
    """Parse a time as the engine writes it."""
    return datetime.datetime.fromisoformat(_FRACTION_BEYOND_MICROSECONDS.sub(r"\1", text))


def _published(bindings: Mapping[str, list[Mapping[str, str]]]) -> dict[int, int]:
    return {
        int(port.partition("/")[0]): int(hosts[0]["HostPort"]) for port, hosts in bindings.items() if hosts
    }

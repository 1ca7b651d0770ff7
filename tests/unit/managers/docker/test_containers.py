"""The state of a container by the engine's description: it runs, has ended, keeps failing."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from clipper_nomad.managers.docker import containers

STARTED = "2026-01-01T00:00:00.123456789Z"
NEVER = "0001-01-01T00:00:00Z"


def after(seconds: float) -> datetime.datetime:
    return containers.parse_time(STARTED) + datetime.timedelta(seconds=seconds)


def describe(status: str = "running", *, ran_s: float | None = None, restarts: int = 0, **state: Any) -> Any:
    finished = NEVER if ran_s is None else after(ran_s).isoformat()
    return {
        "Id": "abc",
        "Name": "/clipper.iris.redis",
        "Image": "sha256:abc",
        "RestartCount": restarts,
        "Config": {"Labels": {"a": "b"}, "StopTimeout": 35},
        "State": {
            "Status": status,
            "StartedAt": STARTED,
            "FinishedAt": finished,
            "ExitCode": 0,
            "OOMKilled": False,
            "Error": "",
            **state,
        },
        "NetworkSettings": {"Networks": {"clipper_network": {}}},
        "HostConfig": {"PortBindings": {"1337/tcp": [{"HostIp": "127.0.0.1", "HostPort": "21337"}]}},
    }


def test_a_description_is_read() -> None:
    found = containers.read(describe())
    assert (found.name, found.published, found.networks) == (
        "clipper.iris.redis",
        {1337: 21337},
        ("clipper_network",),
    )
    assert found.is_running
    assert found.stop_timeout_s == 35


@pytest.mark.parametrize(
    ("description", "now_s", "keeps_failing"),
    [
        (describe(), 1, False),
        (describe("created", ran_s=None), 1, False),
        (describe("restarting", ran_s=2, restarts=1), 3, True),
        (describe("exited", ran_s=2), 3, True),
        (describe("restarting", ran_s=3600, restarts=1), 3601, False),
        (describe("restarting", ran_s=3600, restarts=2), 3601, True),
        (describe(restarts=1), 1, False),
        (describe(restarts=2), 1, True),
        (describe(restarts=2), 11, False),
        (describe(restarts=2, Health={"Status": "healthy"}), 1, False),
        (describe(restarts=2, Health={"Status": "starting"}), 1, True),
    ],
    ids=[
        "it runs",
        "it was never started",
        "it ended at its start",
        "it ended at its start and is not started again",
        "it ended once after long service",
        "it ended twice",
        "it is back after its first end",
        "it is back after its second end",
        "it is back and has run well since",
        "it is back and healthy",
        "it is back and not healthy yet",
    ],
)
def test_a_single_end_is_no_pattern(description: Any, now_s: float, keeps_failing: bool) -> None:
    assert containers.read(description).keeps_failing(lambda: after(now_s)) is keeps_failing


def test_the_last_end_is_described() -> None:
    assert containers.read(describe("exited", ran_s=1, ExitCode=3)).describe_end() == "exit status 3"
    crashed = containers.read(describe("exited", ran_s=1, ExitCode=139))
    assert crashed.describe_end() == "exit status 139 (SIGSEGV)"
    out_of_memory = containers.read(describe("exited", ran_s=1, ExitCode=137, OOMKilled=True))
    assert "memory" in out_of_memory.describe_end()
    refused = containers.read(describe("exited", ran_s=1, ExitCode=127, Error="no such file"))
    assert refused.describe_end() == "no such file"

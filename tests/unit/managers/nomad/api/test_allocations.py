"""Allocations read from Nomad's lists, which were recorded from a real Nomad."""

from __future__ import annotations

import copy
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.managers.nomad.api.allocations import Allocation, read_all

RECORDED = Path(__file__).parent / "recorded"


def listed(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RECORDED / f"{name}.json").read_text())
    return found


def read_one(stub: dict[str, Any]) -> Allocation:
    (found,) = read_all([stub])
    return found


def after_change(allocation: Allocation, seconds: float) -> datetime.datetime:
    return allocation.changed_at + datetime.timedelta(seconds=seconds)


def state_of(stub: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = stub["TaskStates"]["model"]
    return state


def test_an_allocation_that_runs_is_read() -> None:
    (found,) = read_all(listed("running"))
    assert (found.index, found.task, found.node_name) == (0, "model", "node-1")
    assert found.is_running
    assert found.is_wanted
    assert found.is_healthy
    assert not found.is_terminal
    assert not found.has_ended()
    assert not found.keeps_failing(after_change(found, 1))
    assert found.describe_end() == ""


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("crashing", "exit status 3"),
        ("missing_command", "could not be found"),
        ("image_missing", "Failed to pull `clipper.iris-nope:1`"),
        ("artifact_missing", "failed to download artifact"),
        ("out_of_memory", "it took more memory than its limit"),
    ],
)
def test_what_does_not_come_up_keeps_failing_and_says_why(name: str, end: str) -> None:
    (found,) = read_all(listed(name))
    assert found.has_ended()
    assert found.keeps_failing(after_change(found, 1))
    assert end in found.describe_end()


def test_a_check_that_restarted_it_is_told() -> None:
    (found,) = read_all(listed("check_restart"))
    assert found.describe_end() == (
        'healthcheck: check "service: \\"clipper.iris-chk\\" check" unhealthy; exit status 137 (SIGKILL)'
    )
    # It ended once and runs again.
    assert not found.keeps_failing(after_change(found, 1))


def test_an_allocation_in_the_place_of_a_failed_one_counts_its_ends() -> None:
    before, now = read_all(listed("rescheduled"))
    assert (before.has_replacement, now.has_replacement) == (True, False)
    assert (before.num_ends, now.num_ends) == (1, 2)
    assert not before.keeps_failing(after_change(before, 1))
    assert now.keeps_failing(after_change(now, 1))


def running_again(restarts: int, **state: Any) -> Allocation:
    stub = copy.deepcopy(listed("check_restart")[0])
    state_of(stub).update(Restarts=restarts, **state)
    return read_one(stub)


@pytest.mark.parametrize(("restarts", "ran_s", "keeps"), [(1, 1, False), (2, 1, True), (2, 11, False)])
def test_running_again_is_well_after_one_end_or_after_some_time(
    restarts: int, ran_s: float, keeps: bool
) -> None:
    found = running_again(restarts)
    assert found.is_running
    assert found.keeps_failing(after_change(found, ran_s)) is keeps


def test_what_passes_its_check_does_not_fail() -> None:
    found = running_again(5)
    assert found.keeps_failing(after_change(found, 1))
    assert not found.keeps_failing(after_change(found, 1), is_ready=True)


def test_a_client_s_clock_that_is_ahead_does_not_matter() -> None:
    ahead = (after_change(running_again(2), 3600)).isoformat().replace("+00:00", "123Z")
    found = running_again(2, StartedAt=ahead)
    assert not found.keeps_failing(after_change(found, 11))


def test_health_that_was_judged_before_the_last_start_does_not_count() -> None:
    stub = listed("running")[0]
    assert read_one(stub).is_healthy
    judged_at = datetime.datetime.fromisoformat(stub["DeploymentStatus"]["Timestamp"][:19] + "+00:00")
    later = (judged_at + datetime.timedelta(seconds=5)).isoformat()
    state_of(stub)["StartedAt"] = later
    assert read_one(stub).is_healthy is None


def test_what_was_told_to_stop_does_not_fail() -> None:
    (stub,) = listed("crashing")
    found = read_one({**stub, "DesiredStatus": "stop"})
    assert not found.keeps_failing(after_change(found, 1))


def test_one_that_served_for_long_and_waits_for_its_restart_does_not_keep_failing() -> None:
    (stub,) = listed("crashing")
    state = state_of(stub)
    last = max(number for number, each in enumerate(state["Events"]) if each["Type"] == "Terminated")
    state["Events"] = [
        {"Type": "Started", "Time": state["Events"][last]["Time"] - 60_000_000_000},
        *state["Events"][last:],
    ]
    state["Restarts"] = 1
    found = read_one(stub)
    assert found.last_run_s == pytest.approx(60)
    assert found.num_ends == 1
    assert not found.keeps_failing(after_change(found, 1))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("crashing", "ended: exit status 3"),
        ("running", "was started"),
        ("image_missing", "did not start: Failed to pull `clipper.iris-nope:1`"),
        ("image_missing", "reports: Downloading image"),
        ("out_of_memory", "ended: it took more memory than its limit"),
    ],
)
def test_what_happens_to_an_allocation_is_told_in_words(name: str, text: str) -> None:
    (found,) = read_all(listed(name))
    described = [found.describe_event(number) for number in range(len(found.events))]
    assert any(each.startswith(text) for each in described), described


def test_what_happens_to_every_task_is_routine() -> None:
    (found,) = read_all(listed("running"))
    assert [event.type for event in found.events if not event.is_routine] == ["Started"]


def test_an_allocation_whose_node_is_lost_has_ended() -> None:
    (stub,) = listed("running")
    found = read_one({**stub, "ClientStatus": "lost", "DesiredStatus": "stop"})
    assert found.is_terminal
    assert found.describe_end() == "its node node-1 was lost"


def test_one_that_never_got_a_task_is_read() -> None:
    (stub,) = listed("running")
    found = read_one({**stub, "ClientStatus": "pending", "TaskStates": None, "DeploymentStatus": None})
    assert (found.task, found.is_running, found.started_at, found.is_healthy) == ("", False, None, None)
    assert not found.keeps_failing(after_change(found, 100))
    failed = read_one({**stub, "ClientStatus": "failed", "TaskStates": None, "ClientDescription": "no room"})
    assert failed.keeps_failing(after_change(failed, 1))
    assert failed.describe_end() == "no room"

"""Allocations as Nomad lists them, and the judgement whether they keep failing. Pure.

Clock skew: the duration of an ended run is the difference of two timestamps of the same client. The present
run began at its start by the client's clock or at the last change by the server's, if earlier: so a
run on a client whose clock is ahead does not look as if it had just started.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clipper_nomad.managers import messages

_TERMINAL = frozenset({"complete", "failed", "lost"})
#: Docker's engine counts a run of this length as a good start, and so do all managers.
_STARTED_WELL_S = 10.0
#: One end may be that of a replica that had served for long; a second one is a pattern.
_MIN_ENDS_OF_A_PATTERN = 2

_TERMINATED = "Terminated"
_STARTED = "Started"
#: The events of a task that did not start.
_START_FAILURES = frozenset(
    {
        "Driver Failure",
        "Failed Artifact Download",
        "Failed Validation",
        "Setup Failure",
        "Task hook failed",
        "Failed Restoring Task",
    }
)
_ENDS = _START_FAILURES | {_TERMINATED}
#: The events of every task.
_ROUTINE = frozenset({"Received", "Task Setup"})
_RESTART_SIGNALED = "Restart Signaled"
_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")
_INDEX = re.compile(r"\[(\d+)\]$")
_SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}


@dataclass(frozen=True)
class Event:
    """An event of a task: Nomad's word for it, and its text. `at` is by the client's clock."""

    type: str
    at: datetime.datetime
    message: str
    details: Mapping[str, str]

    @property
    def is_routine(self) -> bool:
        """Return whether every task has such an event."""
        return self.type in _ROUTINE

    @property
    def is_end(self) -> bool:
        """Return whether the task ended, or did not start."""
        return self.type in _ENDS


@dataclass(frozen=True)
class Allocation:
    """An allocation of a job with one task. Statuses are Nomad's words.

    `restarts` counts those of the task here, `earlier_ends` the ends of the failed allocations that this one
    replaces. `is_healthy` is the deployment's judgement of the present run, None if there is none.
    `last_run_s` is the duration of the last run that ended; 0 if the task did not even start.
    """

    id: str
    name: str
    index: int
    node_name: str
    client_status: str
    client_description: str
    desired_status: str
    task: str
    is_running: bool
    started_at: datetime.datetime | None
    changed_at: datetime.datetime
    restarts: int
    earlier_ends: int
    last_run_s: float | None
    is_healthy: bool | None
    has_replacement: bool
    events: tuple[Event, ...]

    @property
    def is_terminal(self) -> bool:
        """Return whether it has ended for good."""
        return self.client_status in _TERMINAL

    @property
    def is_wanted(self) -> bool:
        """Return whether Nomad wants it to run and has not replaced it."""
        return self.desired_status == "run" and not self.has_replacement

    @property
    def num_ends(self) -> int:
        """Return how often this replica's task has ended, including earlier allocations."""
        if self.is_running or self.last_run_s is None:
            return self.earlier_ends + self.restarts
        # Nomad counts a restart when it decides on it, so before the task runs again.
        return self.earlier_ends + (self.restarts + 1 if self.is_terminal else max(self.restarts, 1))

    def has_ended(self) -> bool:
        """Return whether its task has ended, even if it runs again."""
        return self.num_ends > 0

    def keeps_failing(self, now: datetime.datetime, *, is_ready: bool = False) -> bool:
        """Return whether it ended at its start, or more than once, and is not healthy now.

        `now` is the time by Nomad's clock. `is_ready`: its check passes, which Consul knows and Nomad
        does not. An allocation that was asked to stop, or was replaced, does not fail.
        """
        if not self.is_wanted or is_ready:
            return False
        if self.is_running:
            if self.num_ends < _MIN_ENDS_OF_A_PATTERN or self.is_healthy:
                return False
            return self._running_for_s(now) < _STARTED_WELL_S
        if self.last_run_s is None:
            return False
        return self.last_run_s < _STARTED_WELL_S or self.num_ends >= _MIN_ENDS_OF_A_PATTERN

    def _running_for_s(self, now: datetime.datetime) -> float:
        since = self.changed_at if self.started_at is None else min(self.started_at, self.changed_at)
        return (now - since).total_seconds()

    def describe_end(self) -> str:
        """Return how its task ended the last time, as far as Nomad knows; empty if it has not ended."""
        if self.client_status == "lost":
            return f"its node {self.node_name} was lost"
        for number, event in reversed(list(enumerate(self.events))):
            if event.type in _ENDS:
                return _describe(event, self.events[:number])
        return self.client_description if self.client_status == "failed" else ""

    def describe_event(self, number: int) -> str:
        """Return one of its events as a predicate, such as `ended: exit status 1`."""
        event = self.events[number]
        if event.type == _STARTED:
            return "was started"
        if event.type in _START_FAILURES:
            return f"did not start: {event.message or event.type}"
        if event.type == _TERMINATED:
            return f"ended: {_describe(event, self.events[:number])}"
        return f"reports: {event.message}" if event.message else ""


def read_all(listed: Iterable[Mapping[str, Any]]) -> list[Allocation]:
    """Return the allocations of Nomad's list for a job, by index and age.

    An allocation that replaces failed ones counts their ends as its own earlier ends.
    """
    stubs = sorted(listed, key=lambda stub: int(stub["CreateIndex"]))
    ends: dict[str, int] = {}
    found = []
    for stub in stubs:
        allocation = _read(stub, ends.get(stub["ID"], 0))
        if allocation.client_status == "failed" and stub.get("NextAllocation"):
            ends[stub["NextAllocation"]] = allocation.num_ends
        found.append(allocation)
    return sorted(found, key=lambda each: each.index)


def _read(stub: Mapping[str, Any], earlier_ends: int) -> Allocation:
    states: Mapping[str, Any] = stub.get("TaskStates") or {}
    task = next(iter(states), "")
    state: Mapping[str, Any] = states.get(task) or {}
    events = tuple(map(_read_event, state.get("Events") or ()))
    started_at = parse_time(state.get("StartedAt"))
    is_running = stub["ClientStatus"] == "running" and state.get("State") == "running"
    match = _INDEX.search(stub["Name"])
    return Allocation(
        id=stub["ID"],
        name=stub["Name"],
        index=int(match[1]) if match else 0,
        node_name=stub.get("NodeName") or "",
        client_status=stub["ClientStatus"],
        client_description=stub.get("ClientDescription") or "",
        desired_status=stub["DesiredStatus"],
        task=task,
        is_running=is_running,
        started_at=started_at,
        changed_at=_from_ns(stub["ModifyTime"]),
        restarts=state.get("Restarts") or 0,
        earlier_ends=earlier_ends,
        last_run_s=None if is_running else _last_run_s(stub, events),
        is_healthy=_read_health(stub.get("DeploymentStatus") or {}, started_at),
        has_replacement=bool(stub.get("NextAllocation")),
        events=events,
    )


def _read_event(event: Mapping[str, Any]) -> Event:
    message = event.get("DisplayMessage") or event.get("Message") or ""
    return Event(event["Type"], _from_ns(event["Time"]), message, event.get("Details") or {})


def _last_run_s(stub: Mapping[str, Any], events: Sequence[Event]) -> float | None:
    """Return the duration of the last run that ended: 0 if it did not start, None if there is none."""
    for number, event in reversed(list(enumerate(events))):
        if event.type in _START_FAILURES:
            return 0.0
        if event.type == _TERMINATED:
            starts = [each.at for each in events[:number] if each.type == _STARTED]
            # Nomad keeps ten events: a start that is not among them was long ago.
            return (event.at - starts[-1]).total_seconds() if starts else _STARTED_WELL_S
    return 0.0 if stub["ClientStatus"] == "failed" else None


def _read_health(status: Mapping[str, Any], started_at: datetime.datetime | None) -> bool | None:
    """Return the deployment's judgement, unless the task was started again since."""
    is_healthy: bool | None = status.get("Healthy")
    judged_at = parse_time(status.get("Timestamp"))
    if is_healthy is None or judged_at is None or (started_at is not None and judged_at < started_at):
        return None
    return is_healthy


def _describe(event: Event, before: Sequence[Event]) -> str:
    """Return how a task ended, by its last event and the earlier ones."""
    details = event.details
    if event.type != _TERMINATED:
        return event.message or event.type
    if details.get("oom_killed") == "true":
        return "it took more memory than its limit"
    signal = int(details.get("signal") or 0)
    code = details.get("exit_code", "unknown")
    text = messages.describe_exit(int(code)) if code.isdecimal() else f"exit status {code}"
    if signal and not text.endswith(")"):
        text = f"{text} ({_SIGNALS.get(signal, f'signal {signal}')})"
    for each in reversed(before):
        if each.type == _RESTART_SIGNALED:
            return f"{each.message}; {text}"
        if each.type == _STARTED:
            break
    return text


def parse_time(text: str | None) -> datetime.datetime | None:
    """Parse a time as Nomad writes it; None for Go's zero time."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.datetime.fromisoformat(_BEYOND_MICROSECONDS.sub(r"\1", text))


def _from_ns(time_ns: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time_ns / 1e9, datetime.UTC)

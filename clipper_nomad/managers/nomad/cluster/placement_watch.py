"""Registered jobs watched for people who wait: are allocations placed, do they run, what fails.

Logs each event once, and says when waiting has no more use.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers import health, messages
from clipper_nomad.managers.nomad.api.allocations import Allocation
from clipper_nomad.managers.nomad.api.jobs import Jobs
from clipper_nomad.managers.nomad.api.logs import Logs
from clipper_nomad.managers.nomad.clients.consul import ConsulCatalog, FailingInstance
from clipper_nomad.managers.waiting import wait_until

logger = logging.getLogger("clipper")

_LOG_LINES = 20
_EVALUATION_TIMEOUT_S = 10.0
_CHECKS_INTERVAL_S = 1.0
# Reports on checks only help people: a Consul that cannot be reached must not delay the waiting.
_CHECKS_RETRY_S = 30.0


class PlacementWatch:
    """Watches jobs of one cluster for one process, and logs nothing twice."""

    def __init__(self, jobs: Jobs, logs: Logs, catalog: ConsulCatalog) -> None:
        self._jobs = jobs
        self._logs = logs
        self._catalog = catalog
        self._logged: set[tuple[str, str]] = set()
        self._next_checks_s: dict[str, float] = {}
        self._failing_before: dict[str, str] = {}

    def await_placed(self, job_id: str, evaluation_id: str, count: int, timeout_s: float, what: str) -> str:
        """Wait until `count` allocations have a node; return why some have none, empty if all have."""
        failures = self._jobs.wait_evaluated(evaluation_id, _EVALUATION_TIMEOUT_S)
        return self.await_room(job_id, count, timeout_s, what) if failures else ""

    def await_room(self, job_id: str, count: int, timeout_s: float, what: str) -> str:
        """Wait until there is room for `count` allocations; return what is missing, empty if nothing is."""
        return wait_until(lambda: self.find_unplaced(job_id, count, what), lambda: None, timeout_s)

    def find_unplaced(self, job_id: str, count: int, what: str) -> str:
        """Return why allocations of a job have no node, empty if all have, and log new reasons."""
        reasons = [failure.describe() for failure in self._jobs.plan_count(job_id, count).failures.values()]
        for reason in reasons:
            self._log_once(job_id, "%s waits for a node: %s", what, reason)
        return "; ".join(reasons)

    def describe_failing(self, allocations: Iterable[Allocation], what: Mapping[str, str]) -> str:
        """Return how the first allocation that keeps failing ended, and its last lines; empty if none does.

        `what` names each allocation for people, by its id. New events of all of them are logged.
        """
        for each in allocations:
            has_ended_again = self._log_events(each, what[each.id])
            # Nomad's clock costs a request, and is of no use for what has not ended.
            if each.has_ended() and each.keeps_failing(self._jobs.now()):
                log = self._logs.tail(each, _LOG_LINES)
                return messages.describe_failing(what[each.id], each.num_ends, each.describe_end(), log)
            if has_ended_again:
                self._log_tail(each, what[each.id])
        return ""

    def log_failing_checks(self, service: str, service_meta: Mapping[str, str], what: str) -> bool:
        """Log the checks that go on failing at one instance of a service; return whether that is new.

        Consul is asked once a second at most, however often this is called.
        """
        now_s = time.monotonic()
        if now_s < self._next_checks_s.get(what, now_s):
            return False
        self._next_checks_s[what] = now_s + _CHECKS_INTERVAL_S
        try:
            found = self._catalog.failing(service, service_meta)
        except ContainerManagerError as error:
            self._next_checks_s[what] = time.monotonic() + _CHECKS_RETRY_S
            return self._log_once(what, "Could not read the health checks of %s: %s", what, str(error))
        failing = _describe_failing(found[0]) if found else ""
        # Every instance fails its checks for a moment when it starts.
        is_lasting = failing == self._failing_before.get(what)
        self._failing_before[what] = failing
        if not failing or not is_lasting:
            return False
        return self._log_once(what, "%s does not pass its check %s", what, failing)

    def log_running(self, allocations: Iterable[Allocation], what: Mapping[str, str]) -> None:
        """Log the last lines of the allocations that run; `what` names them, by their ids."""
        for each in allocations:
            if each.is_running:
                self._log_tail(each, what[each.id])

    def describe_log(self, allocation: Allocation) -> str:
        """Return the last lines that an allocation logged, with a heading."""
        return messages.describe_log(self._logs.tail(allocation, _LOG_LINES))

    def _log_events(self, allocation: Allocation, what: str) -> bool:
        """Log the events of an allocation that are new, and return whether it ended in one of them."""
        has_ended_again = False
        for number, event in enumerate(allocation.events):
            text = allocation.describe_event(number)
            level = logging.DEBUG if event.is_routine else logging.INFO
            key = f"{allocation.id} {event.at}"
            if text and self._log_once(key, "%s on %s %s", what, allocation.node_name, text, level=level):
                has_ended_again |= event.is_end
        return has_ended_again

    def _log_tail(self, allocation: Allocation, what: str) -> None:
        self._log_once(allocation.id, "%s: %s", what, self.describe_log(allocation))

    def _log_once(self, key: str, text: str, *parts: str, level: int = logging.INFO) -> bool:
        """Log a text unless its last part was logged under this key; return whether it was logged now."""
        if (key, parts[-1]) in self._logged:
            return False
        self._logged.add((key, parts[-1]))
        logger.log(level, text, *parts)
        return True


def _describe_failing(instance: FailingInstance) -> str:
    """Return the failing checks of an instance and why: by its own answer, which is newer than Consul's."""
    address = instance.address
    reason = (
        health.unready_reason(address.host, address.port) or instance.output or "it has yet to pass again"
    )
    return f"{' and '.join(map(repr, instance.checks))} of {address} in Consul: {reason}"

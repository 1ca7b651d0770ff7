"""What becomes of a job that was registered: placed or not, running or failing.

Owns what is told while one waits, each thing once, and what ends the waiting. Knows jobs, not what they are
for.
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
from clipper_nomad.waiting import wait_until

logger = logging.getLogger("clipper")

_LOG_LINES = 20
_EVALUATION_TIMEOUT_S = 10.0
_CHECKS_INTERVAL_S = 1.0
# What is told of checks is a help: a Consul that cannot be asked must not hold the waiting up.
_CHECKS_RETRY_S = 30.0


class PlacementWatch:
    """Watches jobs of one cluster for one process; what it has told it does not tell again."""

    def __init__(self, jobs: Jobs, logs: Logs, catalog: ConsulCatalog) -> None:
        self._jobs = jobs
        self._logs = logs
        self._catalog = catalog
        self._told: set[tuple[str, str]] = set()
        self._next_checks_s: dict[str, float] = {}
        self._failing_before: dict[str, str] = {}

    def await_placed(self, job_id: str, evaluation_id: str, count: int, timeout_s: float, what: str) -> str:
        """Wait until all of `count` allocations have a node; return why some have none, or an empty text."""
        failures = self._jobs.wait_evaluated(evaluation_id, _EVALUATION_TIMEOUT_S)
        return self.await_room(job_id, count, timeout_s, what) if failures else ""

    def await_room(self, job_id: str, count: int, timeout_s: float, what: str) -> str:
        """Wait until there is room for `count` allocations of a job; return what is lacking, or nothing."""
        return wait_until(lambda: self.find_unplaced(job_id, count, what), lambda: None, timeout_s)

    def find_unplaced(self, job_id: str, count: int, what: str) -> str:
        """Return why allocations of a job have no node, or an empty text; tell what is new of it."""
        reasons = [failure.describe() for failure in self._jobs.plan_count(job_id, count).failures.values()]
        for reason in reasons:
            self._tell(job_id, "%s waits for a place: %s", what, reason)
        return "; ".join(reasons)

    def describe_failing(self, allocations: Iterable[Allocation], what: Mapping[str, str]) -> str:
        """Return the first allocation that keeps failing, how it ended and its last lines; empty for none.

        `what` names each allocation for people, by its id; what is new of them is told on the way.
        """
        for each in allocations:
            has_ended_anew = self._tell_events(each, what[each.id])
            # What has not ended need not be judged by Nomad's clock, which takes a request.
            if each.has_ended() and each.keeps_failing(self._jobs.now()):
                log = self._logs.tail(each, _LOG_LINES)
                return messages.describe_failing(what[each.id], each.num_ends, each.describe_end(), log)
            if has_ended_anew:
                self._tell_log(each, what[each.id])
        return ""

    def tell_failing_checks(self, service: str, service_meta: Mapping[str, str], what: str) -> bool:
        """Tell which checks of one of a service's instances go on failing, and return whether that is new.

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
            return self._tell(what, "Which checks of %s fail is not known: %s", what, str(error))
        failing = _describe_failing(found[0]) if found else ""
        # Whatever starts fails its checks for a moment.
        is_lasting = failing == self._failing_before.get(what)
        self._failing_before[what] = failing
        if not failing or not is_lasting:
            return False
        return self._tell(what, "%s does not pass its check %s", what, failing)

    def tell_logs(self, allocations: Iterable[Allocation], what: Mapping[str, str]) -> None:
        """Tell the last lines that allocations which run have logged; `what` names them, by their ids."""
        for each in allocations:
            if each.is_running:
                self._tell_log(each, what[each.id])

    def describe_log(self, allocation: Allocation) -> str:
        """Return the last lines that an allocation logged, with a heading."""
        return messages.describe_log(self._logs.tail(allocation, _LOG_LINES))

    def _tell_events(self, allocation: Allocation, what: str) -> bool:
        """Tell what happened to an allocation since it was last told of, and return whether it ended."""
        has_ended_anew = False
        for number, event in enumerate(allocation.events):
            text = allocation.describe_event(number)
            level = logging.DEBUG if event.is_routine else logging.INFO
            key = f"{allocation.id} {event.at}"
            if text and self._tell(key, "%s on %s %s", what, allocation.node_name, text, level=level):
                has_ended_anew |= event.is_end
        return has_ended_anew

    def _tell_log(self, allocation: Allocation, what: str) -> None:
        self._tell(allocation.id, "%s: %s", what, self.describe_log(allocation))

    def _tell(self, key: str, text: str, *parts: str, level: int = logging.INFO) -> bool:
        """Log a text unless its last part was told under this key; return whether it was logged."""
        if (key, parts[-1]) in self._told:
            return False
        self._told.add((key, parts[-1]))
        logger.log(level, text, *parts)
        return True


def _describe_failing(instance: FailingInstance) -> str:
    """Return which checks of an instance fail and why, by itself where it answers: Consul's word is old."""
    address = instance.address
    reason = (
        health.unready_reason(address.host, address.port) or instance.output or "it has yet to pass again"
    )
    return f"{' and '.join(map(repr, instance.checks))} of {address} in Consul: {reason}"

"""The start of a cluster's processes, and the repair and the roll of a running cluster's.

A start or a roll that fails is taken back. An interrupted call of any kind may leave processes that are not
wanted, too few, or such as were started from other settings: the next start finds out from supervisord which
these are, and not from the record, which says only what is wanted. The caller holds the cluster's lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers import health, messages, ports
from clipper_nomad.managers.compatibility import require_compatible
from clipper_nomad.managers.forwarding import forwarded_settings
from clipper_nomad.managers.local import addresses, leftovers, logs, programs
from clipper_nomad.managers.local.orphans import find_orphans
from clipper_nomad.managers.local.programs import Program
from clipper_nomad.managers.local.redis_server import find_redis_server, prepare_state
from clipper_nomad.managers.local.replicas import give_new_ports, replica_programs
from clipper_nomad.managers.local.state import ClusterRecord, FrontendRecord, StateDirectory
from clipper_nomad.managers.local.supervisor import ExitHistory, Supervisor
from clipper_nomad.managers.waiting import wait_until

#: Long, since on a busy machine a start takes ten times as long; a frontend that ends is noticed at once.
_READY_TIMEOUT_S = 120.0
_LOG_LINES = 20
_LEFTOVER_PATIENCE_S = 10.0
#: As long as supervisord gives a process.
_DRAIN_PATIENCE_S = 40.0
#: What no roll can change, by the manager's arguments.
_FIXED = {
    name: name for name in ("host", "query_port", "management_port", "rpc_port", "redis_ip", "redis_port")
}


class Frontends:
    """The processes of one cluster, without the replicas."""

    def __init__(self, state: StateDirectory, supervisor: Supervisor) -> None:
        self._state = state
        self._supervisor = supervisor

    def start(self, wanted: ClusterRecord, before: ClusterRecord | None) -> None:
        """Start a cluster that does not run, with the models of `before`, and wait until it is ready.

        If that fails, all is stopped, and what was on disk before stays.
        """
        try:
            # They are left by a cluster whose supervisord or whose start was killed.
            leftovers.end(leftovers.find(self._state.path), patience_s=_LEFTOVER_PATIENCE_S)
            ports.require_free(addresses.ports_of_missing(wanted, ()))
            record = addresses.with_frontends(wanted, ())
            record = replace(record, models=give_new_ports(record, before.models if before else ()))
            self._state.create()
            self._state.write(record)
            self._start_all(record)
        except BaseException:
            self._undo_start(before)
            raise

    def _start_all(self, record: ClusterRecord) -> None:
        core = programs.frontend_programs(self._state, record) | self._missing_redis(record, ())
        # supervisord's log is read for processes that ended, so it must not hold those of an earlier start.
        logs.remove(self._state.logs_dir, ["supervisord"])
        settings = forwarded_settings(has_own_redis=record.redis_ip is None)
        self._supervisor.start([*core.values(), *replica_programs(self._state, record)], settings)
        self._wait_ready(record, core.keys())

    def _undo_start(self, before: ClusterRecord | None) -> None:
        if self._supervisor.is_running():
            self._supervisor.kill(sparing=[programs.REDIS])
        leftovers.end(leftovers.find(self._state.path), patience_s=_LEFTOVER_PATIENCE_S)
        self._supervisor.remove_socket_directory()
        if before:
            self._state.write(before)
        self._state.remove(keep_state=before is not None)

    def take_over(self, wanted: ClusterRecord, before: ClusterRecord) -> None:
        """Bring a cluster whose supervisord was killed, and whose processes serve on, under a new one.

        They are replaced one after another, so that no query is lost.
        """
        require_compatible(wanted, before, self._state.cluster_name, _FIXED)
        logs.remove(self._state.logs_dir, ["supervisord"])
        self._supervisor.start([], forwarded_settings(has_own_redis=wanted.redis_ip is None))
        self.update(wanted, before)

    def update(self, wanted: ClusterRecord, before: ClusterRecord) -> None:
        """Bring a running cluster into the wanted form: start what is missing, then roll what differs.

        If that fails, what was started for it is stopped, and what was rolled is as it was.
        """
        require_compatible(wanted, before, self._state.cluster_name, _FIXED)
        self._supervisor.forget_stopped({*self._wanted_names(before), programs.STAND_IN}, even_ending=True)
        # A stand-in that is left may have the only listening socket: what is missing takes it from there.
        self._remove_surplus(before, spared=[programs.STAND_IN])
        kept = self._supervisor.processes()
        orphans = find_orphans(self._state, before, kept)
        after = addresses.with_frontends(replace(wanted, models=before.models), before.frontends)
        after = self._replace_orphaned_replicas(before, after, orphans)
        ports.require_free(addresses.ports_of_missing(after, {*kept, *orphans}))
        wanted_programs = programs.frontend_programs(self._state, after)
        missing = {
            name: each for name, each in wanted_programs.items() if name not in kept and name not in orphans
        }
        missing |= self._missing_redis(after, {*kept, *orphans})
        outdated = [
            name
            for name, each in wanted_programs.items()
            if name in orphans or (name in kept and not kept[name].is_of(each))
        ]
        try:
            self._supervisor.add(missing.values())
            self._add_missing_replicas(after)
            self._wait_ready(after, missing.keys())
            self._roll(before, after, outdated, orphans)
        except BaseException:
            self._supervisor.remove(missing.keys())
            self._restore(before, _ended(outdated, orphans))
            raise
        self._state.write(after)
        self._end_orphans(after, orphans)
        self._remove_surplus(after)
        self._wait_ready(after, wanted_programs.keys())

    def _replace_orphaned_replicas(
        self, before: ClusterRecord, after: ClusterRecord, orphans: Mapping[str, int]
    ) -> ClusterRecord:
        """Start replicas beside those that are orphans, on other ports, and wait until they are ready."""
        if not any(each.name in orphans for each in replica_programs(self._state, after)):
            return after
        models = give_new_ports(after, after.models)
        renewed = replace(after, models=models)
        started = [each for each in replica_programs(self._state, renewed) if each.name in orphans]
        self._state.write(replace(before, models=models))
        self._supervisor.add(started)
        admin_ports = [int(each.environment["CLIPPER_ADMIN_PORT"]) for each in started]
        wait_until(
            lambda: next(
                filter(None, (health.unready_reason("127.0.0.1", port) for port in admin_ports)), ""
            ),
            lambda: None,
            _READY_TIMEOUT_S,
        )
        return renewed

    def _end_orphans(self, record: ClusterRecord, orphans: Mapping[str, int]) -> None:
        """End the orphans that are replaced by now, and replace Redis, without which frontends serve on."""
        replicas = [pid for name, pid in orphans.items() if programs.is_replica(name)]
        leftovers.end(replicas, patience_s=_DRAIN_PATIENCE_S)
        if programs.REDIS in orphans:
            leftovers.end([orphans[programs.REDIS]], patience_s=_DRAIN_PATIENCE_S)
            redis = self._missing_redis(record, ())
            self._supervisor.add(redis.values())
            self._wait_ready(record, [programs.MANAGEMENT_FRONTEND])

    def _missing_redis(self, record: ClusterRecord, kept: Collection[str]) -> dict[str, Program]:
        """Return the program of the cluster's own Redis, which can read the state, unless that is kept."""
        if record.redis_ip is not None or programs.REDIS in kept:
            return {}
        server = find_redis_server()
        prepare_state(self._state.redis_dir, server)
        return {programs.REDIS: programs.redis_program(self._state, record, server.executable)}

    def _remove_surplus(self, record: ClusterRecord, spared: Collection[str] = ()) -> None:
        """Remove what the record does not want: surplus frontends, and what an interrupted call left."""
        self._supervisor.remove(self._supervisor.processes().keys() - {*self._wanted_names(record), *spared})

    def _wanted_names(self, record: ClusterRecord) -> set[str]:
        replicas = {program.name for program in replica_programs(self._state, record)}
        return {*programs.frontend_programs(self._state, record), programs.REDIS} | replicas

    def _add_missing_replicas(self, record: ClusterRecord) -> None:
        replicas, kept = replica_programs(self._state, record), self._supervisor.processes()
        self._supervisor.add([program for program in replicas if program.name not in kept])

    def _roll(
        self,
        before: ClusterRecord,
        after: ClusterRecord,
        outdated: Collection[str],
        orphans: Mapping[str, int],
    ) -> None:
        """Replace frontends, one after another, by those of the record `after`, or put all back."""
        new = programs.frontend_programs(self._state, after)
        queries = [name for name in outdated if name != programs.MANAGEMENT_FRONTEND]
        with self._stand_in(after) if queries else contextlib.nullcontext():
            try:
                for name in outdated:
                    leftovers.end([orphans[name]] if name in orphans else [], patience_s=_DRAIN_PATIENCE_S)
                    self._replace([name], new)
                    self._wait_ready(after, [name])
            except BaseException:
                # Before the stand-in leaves, so that it answers until the old ones do.
                restored = self._restore(before, _ended(outdated, orphans))
                with contextlib.suppress(ContainerManagerError):
                    self._wait_ready(before, restored)
                raise

    def _restore(self, before: ClusterRecord, names: Iterable[str]) -> list[str]:
        """Put frontends back into the form of the record `before`; return those that were in another."""
        old, kept = programs.frontend_programs(self._state, before), self._supervisor.processes()
        touched = [name for name in names if name not in kept or not kept[name].is_of(old[name])]
        self._replace(touched, old)
        return touched

    @contextlib.contextmanager
    def _stand_in(self, after: ClusterRecord) -> Iterator[None]:
        """Run one more query frontend in the block, which answers for those that are replaced.

        It has their listening sockets, so that no connection is refused or reset, and each new one takes its
        own from it.
        """
        frontend = FrontendRecord(len(after.frontends), *ports.choose_free(after.host, 2))
        program = programs.stand_in_program(self._state, after, frontend)
        try:
            self._replace([program.name], {program.name: program})
            self._wait_ready(after, [program.name], {program.name: frontend.admin_port})
            yield
        finally:
            self._supervisor.remove([program.name])

    def _replace(self, names: Collection[str], wanted: Mapping[str, Program]) -> None:
        self._supervisor.remove(names)
        self._supervisor.add([wanted[name] for name in names if name in wanted])

    def _wait_ready(
        self, record: ClusterRecord, names: Collection[str], more_ports: Mapping[str, int] | None = None
    ) -> None:
        """Wait for the frontends in `names`. Raises ContainerManagerError if one ends or is late."""
        known_ports = addresses.health_ports_of(record) | dict(more_ports or {})
        health_ports = {name: port for name, port in known_ports.items() if name in names}
        unready = {}

        def find_unready() -> str:
            for name, port in health_ports.items():
                if reason := health.unready_reason(record.dial_host, port):
                    unready[name] = reason
                    return name
            return ""

        # One that was killed long ago, or just now, is started again: only further ends count.
        ended = {name: history.count for name, history in self._histories(names).items()}
        if name := wait_until(find_unready, lambda: self._require_alive(ended), _READY_TIMEOUT_S):
            raise ContainerManagerError(
                f"The {name} was not ready within {_READY_TIMEOUT_S:g} s: {unready[name]}. "
                f"{self._describe_log(name)}"
            )

    def _histories(self, names: Collection[str]) -> dict[str, ExitHistory]:
        processes = self._supervisor.processes()
        return {name: self._supervisor.exit_history(processes[name]) for name in names if name in processes}

    def _require_alive(self, ended: Mapping[str, int]) -> None:
        """Raise ContainerManagerError if a process has ended more often than `ended`, or does not start."""
        for name, history in self._histories(ended).items():
            if history.count > ended[name] or (history.last and not history.count):
                raise ContainerManagerError(
                    f"The {name} of cluster {self._state.cluster_name!r} could not start: {history.last}. "
                    f"{self._describe_log(name)}"
                )

    def _describe_log(self, name: str) -> str:
        return messages.describe_log(logs.tail(self._state.logs_dir / f"{name}.log", _LOG_LINES))


def _ended(names: Iterable[str], orphans: Mapping[str, int]) -> list[str]:
    """Return the programs without those that still run as orphans."""
    return [name for name in names if name not in orphans or not leftovers.is_alive(orphans[name])]

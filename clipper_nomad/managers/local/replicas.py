"""The replicas of a local cluster's models: started, counted, watched and drained.

They stand in the cluster's record, each with the path of its bundle and a port. The caller of a method that
changes something holds the cluster's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from clipper_container.threads import CPU_LIMIT
from clipper_nomad.errors import DeploymentError
from clipper_nomad.managers import health, messages, ports
from clipper_nomad.managers.dns_names import require_model_names
from clipper_nomad.managers.local import logs, programs
from clipper_nomad.managers.local.bundles import read_bundle
from clipper_nomad.managers.local.programs import Program
from clipper_nomad.managers.local.state import (
    ClusterRecord,
    ModelRecord,
    ReplicaRecord,
    StateDirectory,
)
from clipper_nomad.managers.local.supervisor import Supervisor
from clipper_nomad.types import DeploySpec, ModelVersion

_LOG_LINES = 20
#: A first end may come after long service. A second one, while the replica is not ready, is a pattern.
_MIN_ENDS_OF_A_PATTERN = 2


class Replicas:
    """The replicas of one cluster."""

    def __init__(self, state: StateDirectory, supervisor: Supervisor) -> None:
        self._state = state
        self._supervisor = supervisor

    def require_deployable(self, record: ClusterRecord, spec: DeploySpec) -> None:
        """Raise ContainerManagerError for a version that is deployed, or by its name or bundle cannot be."""
        require_model_names(spec.model)
        read_bundle(spec.image)
        if record.find(spec.model):
            raise messages.already_deployed(spec.model)

    def deploy(self, record: ClusterRecord, spec: DeploySpec) -> None:
        """Start the replicas of a version that can be deployed."""
        # Replicas without a limit share this machine, so each computes with one thread.
        limit = {CPU_LIMIT: f"{spec.resources.cpu or 1:g}"}
        environment = {**spec.environment, **limit}
        model = ModelRecord(spec.model, spec.input_type, spec.image, environment=environment)
        model = replace(model, replicas=_with_replicas(record, model, spec.num_replicas))
        started = _programs_of(self._state, record, model)
        logs.remove(self._state.logs_dir, [program.name for program in started])
        try:
            self._supervisor.add(started)
            self._state.write(replace(record, models=(*record.models, model)))
        except BaseException:
            self._state.write(record)
            self._supervisor.remove([program.name for program in started])
            raise

    def scale(self, record: ClusterRecord, model: ModelVersion, num_replicas: int) -> None:
        """Note how many replicas are wanted: those of the lowest numbers stay."""
        found = record.find(model)
        if found is None:
            raise messages.not_deployed(model)
        scaled = replace(found, replicas=_with_replicas(record, found, num_replicas))
        models = tuple(scaled if each is found else each for each in record.models)
        self._state.write(replace(record, models=models))

    def add_missing(self, record: ClusterRecord, model: ModelVersion) -> set[str]:
        """Start the wanted replicas of a version that do not run; return the programs that are too many."""
        found = record.find(model)
        wanted = _programs_of(self._state, record, found) if found else []
        self._supervisor.forget_stopped([program.name for program in wanted], even_ending=False)
        kept = self.kept_of([model])
        self._supervisor.add([program for program in wanted if program.name not in kept])
        return kept - {program.name for program in wanted}

    def forget(self, record: ClusterRecord, models: Collection[ModelVersion]) -> None:
        """Take versions without processes out of the record."""
        self._state.write(
            replace(record, models=tuple(each for each in record.models if each.model not in models))
        )

    def kept_of(self, models: Collection[ModelVersion]) -> set[str]:
        """Return the programs of these versions that supervisord keeps, in the record or not."""
        kept = self._supervisor.processes()
        return {name for name in kept for model in models if programs.is_replica(name, model)}

    def check(self, record: ClusterRecord, model: ModelVersion) -> None:
        """Raise DeploymentError if a replica ended at its start, or more than once, and is not ready."""
        found = record.find(model)
        processes = self._supervisor.processes()
        for replica in found.replicas if found else ():
            name = programs.replica_name(model, replica.index)
            if name not in processes:
                continue
            history = self._supervisor.exit_history(processes[name])
            ended = history.count or (history.last and not processes[name].pid)
            failing = ended and (not history.started or history.count >= _MIN_ENDS_OF_A_PATTERN)
            if failing and health.unready_reason("127.0.0.1", replica.admin_port):
                log = logs.tail(self._state.logs_dir / f"{name}.log", _LOG_LINES)
                what = messages.replica_of(model, replica.index)
                raise DeploymentError(messages.describe_failing(what, history.count, history.last, log))

    def last_ends(self, record: ClusterRecord) -> dict[ModelVersion, str]:
        """Return how a replica of each version ended last without being asked to."""
        processes = self._supervisor.processes()
        ends = {}
        for model in record.models:
            names = (programs.replica_name(model.model, replica.index) for replica in model.replicas)
            histories = [
                self._supervisor.exit_history(processes[name]) for name in names if name in processes
            ]
            if lasts := [history.last for history in histories if history.last]:
                ends[model.model] = lasts[-1]
        return ends

    def tail_logs(self, model: ModelVersion, lines: int) -> str:
        """Return the last lines of each replica's log, with a heading for each if there are several."""
        prefix = programs.replica_name(model, 0).removesuffix("0")
        paths = sorted(self._state.logs_dir.glob(f"{prefix}*.log"))
        return messages.join_logs({path.stem.removeprefix(prefix): logs.tail(path, lines) for path in paths})


def give_new_ports(record: ClusterRecord, models: Iterable[ModelRecord]) -> tuple[ModelRecord, ...]:
    """Return the models with as many replicas as they had, on ports that are free now."""
    fresh: list[ModelRecord] = []
    for model in models:
        so_far = replace(record, models=tuple(fresh))
        bare = replace(model, replicas=())
        fresh.append(replace(bare, replicas=_with_replicas(so_far, bare, len(model.replicas))))
    return tuple(fresh)


def replica_programs(state: StateDirectory, record: ClusterRecord) -> list[Program]:
    """Return all replicas of the record as programs."""
    return [program for model in record.models for program in _programs_of(state, record, model)]


def _programs_of(state: StateDirectory, record: ClusterRecord, model: ModelRecord) -> list[Program]:
    python = read_bundle(model.image).python
    return [programs.replica_program(state, record, model, replica, python) for replica in model.replicas]


def _with_replicas(record: ClusterRecord, model: ModelRecord, num_replicas: int) -> tuple[ReplicaRecord, ...]:
    """Return `num_replicas` replicas, numbered from 0: the existing ones, then new ones on free ports."""
    kept = model.replicas[:num_replicas]
    taken = {each.admin_port for each in record.frontends}
    taken |= {replica.admin_port for each in record.models for replica in each.replicas}
    taken |= {record.query_port, record.management_port, record.redis_port}
    taken |= {each.rpc_port for each in record.frontends}
    new_ports = ports.choose_free("127.0.0.1", num_replicas - len(kept), taken)
    new = [ReplicaRecord(index, port) for index, port in enumerate(new_ports, start=len(kept))]
    return (*kept, *new)

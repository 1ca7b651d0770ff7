"""LocalContainerManager: a cluster as processes of this machine.

All that lasts is in the state directory and in supervisord. Calls that change the cluster hold its lock.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Self

from clipper_nomad.errors import ClipperWarning, ContainerManagerError
from clipper_nomad.managers import messages
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.managers.connection_state import ConnectionState
from clipper_nomad.managers.local import bundles, environments, leftovers, logs, programs
from clipper_nomad.managers.local.bundles import Bundle, make_bundle
from clipper_nomad.managers.local.frontends import Frontends
from clipper_nomad.managers.local.replicas import Replicas
from clipper_nomad.managers.local.state import ClusterRecord, StateDirectory, default_state_root
from clipper_nomad.managers.local.supervisor import Supervisor
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.types import (
    BuildSpec,
    ClusterSpec,
    DefaultFloat,
    DeploySpec,
    ModelVersion,
    NotGiven,
    Resources,
    UnusedImage,
)

_END_PATIENCE_S = 10.0


class LocalContainerManager(ContainerManager):
    """Runs a cluster as processes of this machine: no container engine and no root are needed.

    start_clipper() uses the ports given here; RPC ports count up from `rpc_port`, one per frontend. connect()
    uses the ports that the cluster was started with. Frontends bind to `host`; Redis and the models' admin
    ports bind to 127.0.0.1. With `redis_ip` a Redis that runs elsewhere is used (its credentials come from
    CLIPPER_REDIS_USERNAME, CLIPPER_REDIS_PASSWORD and so on), whose content stays when the cluster ends.
    `state_dir` is by default CLIPPER_STATE_DIR, else ~/.local/state/clipper. `python` runs the models. A
    frontend that is asked to stop serves for another `drain_delay_s`, so that a load balancer can notice.
    """

    def __init__(
        self,
        cluster_name: str = "default-cluster",
        query_port: int = 1337,
        management_port: int = 1338,
        rpc_port: int = 7000,
        redis_port: int = 6379,
        *,
        state_dir: str | Path | None = None,
        host: str = "127.0.0.1",
        redis_ip: str | None = None,
        python: str = sys.executable,
        drain_delay_s: float = DefaultFloat(0.0),
    ) -> None:
        self.cluster_name = cluster_name
        root = Path(state_dir).expanduser().absolute() if state_dir else default_state_root()
        self._state = StateDirectory(root, cluster_name)
        self._supervisor = Supervisor(self._state)
        self._frontends = Frontends(self._state, self._supervisor)
        self._replicas = Replicas(self._state, self._supervisor)
        self._python = python
        self._connection = ConnectionState(self.cluster_name, self._state.read)
        self._wanted = ClusterRecord(
            version=metadata.version("clipper-nomad"),
            host=host,
            query_port=query_port,
            management_port=management_port,
            rpc_port=rpc_port,
            redis_ip=redis_ip,
            redis_port=redis_port,
            drain_delay_s=drain_delay_s,
            spec=ClusterSpec(),
        )

    @classmethod
    def from_cli(cls, options: ClusterOptions) -> Self:
        """Return the manager of the cluster that the command line's options describe."""
        options = options.settle_ports()
        return cls(
            options.cluster_name,
            options.query_port,
            options.management_port,
            options.rpc_port,
            options.redis_port,
            state_dir=options.state_dir,
            host=options.host,
            redis_ip=options.redis_ip,
        )

    def start_clipper(self, spec: ClusterSpec) -> None:
        """Start the cluster's processes, or those that differ, and return when the frontends are ready."""
        _warn_meaningless(
            query_frontend_image=spec.query_frontend_image,
            management_frontend_image=spec.management_frontend_image,
        )
        with self._state.locked():
            before = self._state.read()
            self._state.mark_ending(ending=False)
            wanted = _settle(self._wanted, spec, before)
            if before and self._supervisor.is_running():
                self._frontends.update(wanted, before)
            elif before and leftovers.find(self._state.path):
                self._frontends.take_over(wanted, before)
            else:
                self._frontends.start(wanted, before)
        self._connection.is_connected = True

    def connect(self) -> None:
        """Connect to the cluster of this name in the state directory, on the ports it was started with."""
        if self._state.read() is None:
            raise messages.not_found(
                self.cluster_name, f"in {self._state.path.parent}", "cluster_name and state_dir"
            )
        if not self._supervisor.is_running():
            # Where a stop was interrupted, what is left runs on its own, and stop_all() goes on with that.
            if leftovers.find(self._state.path) and not self._state.is_ending:
                raise _not_supervised(self.cluster_name)
            raise messages.not_running(self.cluster_name)
        self._connection.is_connected = True

    def get_query_address(self) -> str:
        """Return the `host:port` that all query frontends share."""
        record = self._connection.record()
        return f"{record.dial_host}:{record.query_port}"

    def get_management_address(self) -> str:
        """Return the management frontend's `host:port`."""
        record = self._connection.record()
        return f"{record.dial_host}:{record.management_port}"

    def get_metric_address(self) -> str:
        """Return the first query frontend's admin `host:port`."""
        record = self._connection.record()
        return f"{record.dial_host}:{record.frontends[0].admin_port}"

    def build(self, spec: BuildSpec) -> str:
        """Copy the model's folder, install the packages that are missing here, and return the copy's path."""
        _warn_meaningless(
            base_image=spec.base_image if spec.base_image != "default" else None,
            container_registry=spec.container_registry,
        )
        python = self._python
        if spec.pkgs_to_install:
            interpreter = environments.Interpreter.probe(self._python)
            if missing := environments.missing_requirements(spec.pkgs_to_install, interpreter):
                python = environments.provide_environment(self._state.environments_dir, missing, interpreter)
        bundle = Bundle(python, tuple(sorted(spec.pkgs_to_install)))
        return str(make_bundle(self._state.bundles_dir, spec.model_data_path, bundle))

    def deploy(self, spec: DeploySpec) -> None:
        """Start the replicas of a version that is not deployed."""
        self._connection.require()
        if spec.devices:
            raise ContainerManagerError(
                f"Cannot give {spec.devices[0].name!r} to model version {spec.model}: the local manager "
                "gives out no devices. Its replicas see all of this machine's: deploy without `devices`."
            )
        _warn_unlimited(spec.resources)
        while True:
            with self._state.locked():
                record = self._connection.record()
                self._replicas.require_deployable(record, spec)
                left = self._replicas.kept_of([spec.model])
                if not left:
                    return self._replicas.deploy(record, spec)
            self._supervisor.remove(left)

    def check_replicas(self, model: ModelVersion) -> None:
        """Raise DeploymentError, with the last log lines, if a replica keeps failing."""
        self._replicas.check(self._connection.record(), model)

    def get_last_ends(self) -> Mapping[ModelVersion, str]:
        """Return how a replica of each version ended last without being asked to, from supervisord's log."""
        return self._replicas.last_ends(self._connection.record())

    def get_num_replicas(self, model: ModelVersion) -> int:
        """Return how many replicas are wanted; 0 for a version that is not deployed."""
        found = self._connection.record().find(model)
        return len(found.replicas) if found else 0

    def get_replicas(self) -> Mapping[ModelVersion, int]:
        """Return how many replicas are wanted of each deployed version."""
        return {each.model: len(each.replicas) for each in self._connection.record().models}

    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        """Start replicas without waiting for them, or drain those of the highest numbers."""
        self._connection.require()
        with self._state.locked():
            self._replicas.scale(self._connection.record(), model, num_replicas)
            surplus = self._replicas.add_missing(self._connection.record(), model)
        # Without the lock, since a drain takes long. Another call may change what is wanted meanwhile.
        while surplus:
            self._supervisor.remove(surplus)
            with self._state.locked():
                surplus = self._replicas.add_missing(self._connection.record(), model)

    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions; versions that are not deployed are skipped."""
        self._connection.require()
        stopped = set(models)
        while True:
            with self._state.locked():
                left = self._replicas.kept_of(stopped)
                if not left:
                    # Last: until then they count as deployed, so that an interrupted stop is repeated.
                    return self._replicas.forget(self._connection.record(), stopped)
            # Without the lock, since a drain takes long.
            self._supervisor.remove(left)

    def release_images(self, images: Collection[str]) -> None:
        """Delete the bundles in `images` that no deployed version runs."""
        with self._state.locked():
            found = self._find_unused(())
            doomed = {each.name for each in found} & {str(Path(each).resolve()) for each in images}
            bundles.remove_bundles(self._state.bundles_dir, doomed)

    def prune_images(self, used: Collection[str], *, dry_run: bool) -> list[UnusedImage]:
        """Delete the bundles that are not in `used` and that no deployed version runs."""
        with self._state.locked():
            found = self._find_unused(used)
            if not dry_run:
                bundles.remove_bundles(self._state.bundles_dir, [each.name for each in found])
        return found

    def _find_unused(self, used: Collection[str]) -> list[UnusedImage]:
        deployed = [each.image for each in self._connection.record().models]
        return bundles.find_unused(self._state.bundles_dir, {*used, *deployed})

    def get_logs(self, logging_dir: Path) -> list[Path]:
        """Copy the logs of all processes, supervisord's too, to `<logging_dir>/<cluster>-<process>.log`."""
        self._connection.record()
        return logs.collect(self._state.logs_dir, logging_dir, f"{self.cluster_name}-")

    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        """Return the last lines of each replica's log; empty if there is no replica."""
        self._connection.record()
        return self._replicas.tail_logs(model, lines)

    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        """End all processes: frontends, then models, then Redis; only with `keep_state` the directory stays.

        The models' environments always stay in the state directory's root, for all its clusters.
        """
        self._connection.require()
        with self._state.locked():
            self._state.mark_ending(ending=not keep_state)
            self._end_processes(graceful=graceful, keep_state=keep_state)
            self._state.remove(keep_state=keep_state)
        self._connection.is_connected = False

    def finish_stop(self) -> bool:
        """End a cluster whose stop_all() was interrupted; one that was stopped with its state stays."""
        return self._state.is_ending and self.remove_leftovers()

    def remove_leftovers(self) -> bool:
        """End what is left of a cluster that does not run properly, and remove its state.

        Returns whether anything was left.
        """
        if not (self._state.path.exists() or self._state.is_ending or leftovers.find(self._state.path)):
            return False
        self._connection.is_connected = True
        self.stop_all()
        return True

    def _end_processes(self, *, graceful: bool, keep_state: bool) -> None:
        if self._supervisor.is_running() and graceful:
            names = self._supervisor.processes().keys() - {programs.REDIS}
            replicas = {name for name in names if programs.is_replica(name)}
            self._supervisor.remove(names - replicas)
            self._supervisor.remove(replicas)
            self._supervisor.remove([programs.REDIS])
            self._supervisor.shut_down()
        elif self._supervisor.is_running():
            # Redis writes all it has to disk when it is asked to end.
            self._supervisor.kill(sparing=[programs.REDIS] if keep_state else [])
        patience_s = _END_PATIENCE_S if graceful or keep_state else 0
        leftovers.end(leftovers.find(self._state.path), patience_s=patience_s)
        self._supervisor.remove_socket_directory()


def _not_supervised(cluster_name: str) -> ContainerManagerError:
    return ContainerManagerError(
        f"Cannot connect to cluster {cluster_name!r}: its processes run and answer queries, but the "
        "supervisord that kept them was killed, so nothing starts again what ends. start_clipper() or "
        "`clipper-nomad start` replaces them one after another without losing a query; `clipper-nomad stop` "
        "ends them."
    )


def _settle(wanted: ClusterRecord, spec: ClusterSpec, before: ClusterRecord | None) -> ClusterRecord:
    """Return the record to start, in which settings that were not given are those of `before`."""
    whole = spec.over(before.spec if before else None)
    delay_s = float(wanted.drain_delay_s)
    if before and isinstance(wanted.drain_delay_s, NotGiven):
        delay_s = before.drain_delay_s
    # Processes run no images.
    settled = replace(whole, query_frontend_image=None, management_frontend_image=None)
    return replace(wanted, drain_delay_s=delay_s, spec=settled)


def _warn_meaningless(**given: str | None) -> None:
    for name, value in given.items():
        if value is not None:
            warnings.warn(
                f"{name} is ignored: the local manager runs processes, not images",
                ClipperWarning,
                stacklevel=4,
            )


def _warn_unlimited(resources: Resources) -> None:
    if resources != Resources():
        warnings.warn(
            "resources limit nothing here: the local manager limits neither CPU nor memory; cpu only "
            "sets how many threads a replica computes with",
            ClipperWarning,
            stacklevel=4,
        )

"""The contract of a container manager: the place where a cluster runs.

A manager starts and stops the parts of a cluster (Redis, query frontends, the management frontend, replicas
of models) and knows where the frontends are reached. It never looks into a model, and of the frontends' REST
interfaces it asks only whether they are ready. It keeps nothing in memory that another process would need:
any method may be called from another process after connect(), which needs only the cluster's name and place.
A change by one process is seen by the next call in any other. Managers are not thread-safe.

Every method raises ContainerManagerError (or a subclass of ClipperException named below), which says what was
asked, what is wrong and what to do. Every method but start_clipper(), connect(), build(),
finish_stop() and remove_leftovers() raises UnconnectedException until one of the first two has returned, and
again after stop_all(). If another process has stopped the cluster, NotRunningError says so.

A call that was interrupted, at any point, can be repeated, and start_clipper() brings back what it left out.

Whatever runs and is not asked to stop is started again when it ends, with growing pauses while it keeps
ending. A test suite, clipper_nomad.testing.contract, holds every manager to each of these sentences.
"""

from __future__ import annotations

import abc
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Self

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion, UnusedImage


class ContainerManager(abc.ABC):
    """One cluster, by its name, in one place."""

    #: Names this cluster: a DNS-1123 label. Two clusters of different names in one place never meet.
    cluster_name: str

    @property
    def cluster_identifier(self) -> str:
        """Return the cluster's name (Clipper's word for it)."""
        return self.cluster_name

    def get_query_addr(self) -> str:
        """Return get_query_address(), by Clipper's name."""
        return self.get_query_address()

    def get_admin_addr(self) -> str:
        """Return get_management_address(), by Clipper's name."""
        return self.get_management_address()

    def get_metric_addr(self) -> str:
        """Return get_metric_address(), by Clipper's name."""
        return self.get_metric_address()

    @classmethod
    def from_cli(cls, options: ClusterOptions) -> Self:
        """Return the manager of the cluster that a user of `clipper-nomad --manager NAME` means.

        NAME is the manager's entry point in the group `clipper_nomad.managers`. A manager without this method
        is for scripts alone. Settings that the options do not have come from the environment. Raises
        ContainerManagerError for options that the manager cannot follow.
        """
        del options
        raise ContainerManagerError(
            f"{cls.__name__} cannot be used from the command line: it has no from_cli(). Use it in a script."
        )

    @abc.abstractmethod
    def start_clipper(self, spec: ClusterSpec) -> None:
        """Start Redis, the query frontends and the management frontend, and return when they are ready.

        What the spec has unset stays as it is in a running cluster; see `ClusterSpec.over()`. A running
        cluster of the same version and spec is left as it is, but for missing parts, which are started again.
        If its version is older or its spec differs, the frontends are rolled, one at a time; Redis and the
        models stay as they are. A running cluster of a newer version, or with other addresses than this
        manager's, is refused and left alone.

        If a cluster was stopped with its state kept, all that was registered is there again, and each
        deployed version starts as many replicas as were wanted, without waiting for them.

        If this fails, it stops what it had started, and all that was there before is as it was. The error
        names a taken port with its setting, and a part that keeps ending with the last lines of its log.
        """

    @abc.abstractmethod
    def connect(self) -> None:
        """Attach to a running cluster, with the addresses that it was started with.

        Raises NotRunningError if there is none of this name; the error says so if one was stopped with its
        state kept.
        """

    @abc.abstractmethod
    def get_query_address(self) -> str:
        """Return where applications send queries: `host:port`, with a path behind it if one is needed."""

    @abc.abstractmethod
    def get_management_address(self) -> str:
        """Return the management frontend's `host:port`."""

    @abc.abstractmethod
    def get_metric_address(self) -> str:
        """Return the `host:port` whose /metrics is that of the cluster's first query frontend."""

    @abc.abstractmethod
    def build(self, spec: BuildSpec) -> str:
        """Turn a model's folder into an image that deploy() runs, and return the image's immutable name.

        The name means these contents whatever is built later. Building the same folder with the same packages
        again is quick. It needs no running cluster. Raises BuildError with the last lines of what failed.
        """

    @abc.abstractmethod
    def deploy(self, spec: DeploySpec) -> None:
        """Start `spec.num_replicas` replicas of a model version, and return without waiting for them.

        Each replica gets the variables of `spec.environment`, whenever it is started.
        With 0, the version counts as deployed, and set_num_replicas() starts replicas later. Raises
        ContainerManagerError if the version is deployed already, and leaves its replicas as they are. If this
        fails otherwise, or is interrupted, it removes what it had started.
        """

    @abc.abstractmethod
    def check_replicas(self, model: ModelVersion) -> None:
        """Raise DeploymentError, with a replica's last log lines, if a replica of `model` keeps failing.

        A replica keeps failing if it ended soon after its start, or more than once, and is not ready yet. One
        that ended once after serving does not, nor does one that is ready again. An unknown version has no
        failing replica.
        """

    def get_last_ends(self) -> Mapping[ModelVersion, str]:
        """Return how a replica of each deployed version ended last without being asked to, in words.

        Such as `exit status 139 (SIGSEGV)`. A version whose replicas never ended so is missing, and so are
        all of a manager that cannot know.
        """
        return {}

    @abc.abstractmethod
    def get_num_replicas(self, model: ModelVersion) -> int:
        """Return how many replicas are wanted; 0 for a version that is not deployed."""

    @abc.abstractmethod
    def get_replicas(self) -> Mapping[ModelVersion, int]:
        """Return how many replicas are wanted of each deployed version."""

    @abc.abstractmethod
    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        """Start or drain replicas until there are `num_replicas`, and return without waiting for new ones.

        The replicas that stay are not touched. A version scaled to 0 stays deployed. Raises
        ContainerManagerError for a version that was never deployed.
        """

    @abc.abstractmethod
    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions, and return when they have ended.

        Versions that are not deployed are skipped. A stopped version can be deployed again.
        """

    def release_images(self, images: Collection[str]) -> None:
        """Remove images whose versions are stopped, if no deployed version runs them.

        Unknown ones are skipped. By default they stay until prune_images(): what others may have pulled is
        not removed unasked.
        """
        del images

    def prune_images(self, used: Collection[str], *, dry_run: bool) -> list[UnusedImage]:
        """Remove what build() made that is not in `used` and that no deployed version runs; return it.

        With `dry_run` nothing is removed. By default raises ContainerManagerError: nothing here is known to
        be this cluster's alone.
        """
        del used, dry_run
        raise ContainerManagerError(
            f"{type(self).__name__} keeps what it builds where others may use it: remove it there yourself"
        )

    @abc.abstractmethod
    def get_logs(self, logging_dir: Path) -> list[Path]:
        """Write one log file per process or container into `logging_dir`, and return their paths.

        A missing folder is made. The files' names begin with the cluster's name. What could steer a terminal
        is escaped in them (`disk.logs`).
        """

    @abc.abstractmethod
    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        """Return the last lines that replicas of a version logged; empty if there is no replica."""

    @abc.abstractmethod
    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        """End the cluster: all frontends, models and Redis. Nothing of it runs when this returns.

        Its state goes too, unless `keep_state` is set: then the next start_clipper() brings it back. The data
        in a Redis that runs elsewhere stays. Without `graceful` nothing is drained.
        """

    def finish_stop(self) -> bool:
        """End a cluster whose stop_all() without `keep_state` was interrupted, connected or not.

        Returns whether there was one. By default it does nothing, since a manager need not know the
        difference to a cluster whose state is kept; remove_leftovers() removes either.
        """
        return False

    @abc.abstractmethod
    def remove_leftovers(self) -> bool:
        """Remove all that is left of a cluster, its state too, whether it runs or not.

        Returns whether anything was left. Needs no connection.
        """

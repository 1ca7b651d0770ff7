"""The contract of a container manager: the place where a cluster runs.

A manager starts and stops what a cluster is made of (Redis, query frontends, the management frontend,
replicas of models) and knows where the frontends are reached. It never knows what is in a model, it never
talks to the frontends' REST interfaces beyond asking whether they are ready, and it keeps nothing in memory
that another process would need: each method may be called from another process after connect(), which needs
the cluster's name and place alone. What one process changes, the next call in another one sees. Managers are
not thread-safe.

Every method raises ContainerManagerError (or a subclass of ClipperException named below) with what was asked,
what is wrong and what to do. UnconnectedException is raised by every method but start_clipper(), connect()
and remove_leftovers() until one of the first two has returned, and again after stop_all(). A cluster that
another process has stopped is said to be gone, as ContainerManagerError.

Whatever runs and is not asked to stop is started again when it ends, with growing pauses while it keeps
ending. A test suite, tests/contract, holds every manager to each of these sentences.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.options import ClusterOptions
from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion


class ContainerManager(abc.ABC):
    """One cluster, by its name, in one place."""

    #: Names this cluster: a DNS-1123 label. Two clusters of different names in one place never meet.
    cluster_name: str

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

        On a running cluster of the same version and spec this changes nothing but that it starts again what
        is missing; of an older version or another spec it rolls the frontends, one at a time, and leaves
        Redis and the models as they are. A running cluster of a newer version, or whose addresses are others
        than this manager's, is refused and left alone.

        Where a cluster was stopped with its state kept, all that was registered is there again, and each
        deployed version starts as many replicas as were wanted; they are not waited for.

        When it fails, what it had started is stopped again and what there was before is as it was; a port
        that is taken is named with its setting, and what keeps ending with the last lines of its log.
        """

    @abc.abstractmethod
    def connect(self) -> None:
        """Attach to a running cluster, with the addresses that it was started with.

        Raises ContainerManagerError when there is none of this name, and says so when one was stopped with
        its state kept.
        """

    @abc.abstractmethod
    def get_query_address(self) -> str:
        """Return where applications send queries: `host:port`, and behind it a path where one is needed."""

    @abc.abstractmethod
    def get_management_address(self) -> str:
        """Return the management frontend's `host:port`."""

    @abc.abstractmethod
    def get_metric_address(self) -> str:
        """Return the `host:port` whose /metrics speaks for the cluster's first query frontend."""

    @abc.abstractmethod
    def build(self, spec: BuildSpec) -> str:
        """Turn a model's folder into what deploy() runs, and return what names it for good.

        The name stays that of these contents whatever is built later. Building the same folder with the same
        packages again is quick. Raises BuildError with the last lines of what failed.
        """

    @abc.abstractmethod
    def deploy(self, spec: DeploySpec) -> None:
        """Start `spec.num_replicas` replicas of a model version, and return without waiting for them.

        With 0, the version counts as deployed, and set_num_replicas() starts replicas later. Raises
        ContainerManagerError when replicas of this version are there already, leaving them as they are. When
        it fails otherwise, or is interrupted, what it had started is removed again.
        """

    @abc.abstractmethod
    def check_replicas(self, model: ModelVersion) -> None:
        """Raise DeploymentError, with a replica's last log lines, when a replica of `model` keeps failing.

        It does when it ended soon after its start, or more than once, and is not ready yet; one that ended
        once after serving does not, nor does one that is ready again. An unknown version has none that fails.
        """

    @abc.abstractmethod
    def get_num_replicas(self, model: ModelVersion) -> int:
        """Return how many replicas are wanted; 0 for a version that is not deployed."""

    @abc.abstractmethod
    def get_replicas(self) -> Mapping[ModelVersion, int]:
        """Return how many replicas are wanted of each deployed version."""

    @abc.abstractmethod
    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        """Start or drain replicas until `num_replicas` are wanted, and return without waiting for new ones.

        Those that stay are not touched. Scaled to 0, a version stays deployed. Raises ContainerManagerError
        for a version that was never deployed.
        """

    @abc.abstractmethod
    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions, and return when they have ended.

        Versions that are not there are passed over. The same version can be deployed again.
        """

    @abc.abstractmethod
    def get_logs(self, logging_dir: Path) -> list[Path]:
        """Write one log file per process or container into `logging_dir`, and return their paths.

        The folder is made where it is missing; files' names begin with the cluster's.
        """

    @abc.abstractmethod
    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        """Return the last lines that replicas of a version logged; empty where there is none."""

    @abc.abstractmethod
    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        """End the cluster: all frontends, models and Redis. Nothing of it runs when this returns.

        Its state goes too, unless `keep_state`: then the next start_clipper() brings it back. What a Redis
        that runs elsewhere holds is left there. With `graceful` false nothing is drained.
        """

    @abc.abstractmethod
    def remove_leftovers(self) -> bool:
        """Remove all that is left of a cluster, its state too, whether it runs or not and connected or not.

        Returns whether there was anything. Needs no connection.
        """

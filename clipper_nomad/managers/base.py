"""The contract of a container manager: the place where a cluster runs.

A manager starts and stops what a cluster is made of (Redis, query frontends, the management frontend,
replicas of models) and knows where the frontends are reached. It never knows what is in a model, it never
talks to the frontends' REST interfaces, and it keeps nothing in memory that another process would need: each
method may be called from another process after connect(). Managers are not thread-safe.

Every method raises ContainerManagerError (or a subclass of ClipperException named below) with what was asked,
what is wrong and what to do. UnconnectedException is raised by every method but start_clipper() and connect()
until one of those two has returned.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping
from pathlib import Path

from clipper_nomad.types import BuildSpec, ClusterSpec, DeploySpec, ModelVersion


class ContainerManager(abc.ABC):
    """One cluster, by its name, in one place."""

    #: Names this cluster; two clusters of different names in one place never meet.
    cluster_name: str

    @abc.abstractmethod
    def start_clipper(self, spec: ClusterSpec) -> None:
        """Start Redis, the query frontends and the management frontend, and return when they are ready.

        On a running cluster of the same version and spec this changes nothing; of an older version or
        another spec it rolls the query frontends, one at a time. Where a cluster was stopped with its state
        kept, the recorded versions and their replicas come back. When it fails, what it had started is
        stopped again.
        """

    @abc.abstractmethod
    def connect(self) -> None:
        """Attach to a running cluster, or raise ContainerManagerError when there is none of this name."""

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

        Building the same folder with the same packages again is quick. Raises BuildError with the last
        lines of what failed.
        """

    @abc.abstractmethod
    def deploy(self, spec: DeploySpec) -> None:
        """Start `spec.num_replicas` replicas of a model version, and return without waiting for them.

        Raises ContainerManagerError when replicas of this version are there already, leaving them as they
        are. When it fails otherwise, or is interrupted, what it had started is removed again.
        """

    @abc.abstractmethod
    def check_replicas(self, model: ModelVersion) -> None:
        """Raise DeploymentError, with a replica's last log lines, when a replica of `model` keeps failing."""

    @abc.abstractmethod
    def get_num_replicas(self, model: ModelVersion) -> int:
        """Return how many replicas are wanted; 0 for a version that is not deployed."""

    @abc.abstractmethod
    def get_replicas(self) -> Mapping[ModelVersion, int]:
        """Return how many replicas are wanted of each deployed version."""

    @abc.abstractmethod
    def set_num_replicas(self, model: ModelVersion, num_replicas: int) -> None:
        """Start or drain replicas until `num_replicas` are wanted, and return without waiting for new ones.

        Raises ContainerManagerError for a version that was never deployed.
        """

    @abc.abstractmethod
    def stop_models(self, models: Iterable[ModelVersion]) -> None:
        """Drain and remove all replicas of these versions; versions that are not there are passed over."""

    @abc.abstractmethod
    def get_logs(self, logging_dir: Path) -> list[Path]:
        """Write one log file per process or container into `logging_dir`, and return their paths."""

    @abc.abstractmethod
    def tail_logs(self, model: ModelVersion, lines: int = 20) -> str:
        """Return the last lines that replicas of a version logged; empty where there is none."""

    @abc.abstractmethod
    def stop_all(self, *, graceful: bool = True, keep_state: bool = False) -> None:
        """End the cluster: all models, frontends and Redis.

        Its state goes too, unless `keep_state`: then the next start_clipper() brings it back. With
        `graceful` false nothing is drained.
        """

"""A local cluster on disk: its directory, its record, and the lock that guards both.

The record is JSON and is replaced whole. It has all that is wanted: ports, settings, models, their replicas.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.disk import private_files
from clipper_nomad.managers.dns_names import require_dns_name
from clipper_nomad.types import ClusterSpec, ModelVersion

_ENDING = "ending"
#: A unix socket's path has at most 107 bytes; supervisord first binds `<path>.<its pid>`.
_SOCKET_DIR_BYTES = 107 - len("/query-frontend-stand-in") - len(".4194304")


@dataclass(frozen=True)
class FrontendRecord:
    """One query frontend and its own ports."""

    index: int
    rpc_port: int
    admin_port: int


@dataclass(frozen=True)
class ReplicaRecord:
    """One replica and its own port."""

    index: int
    admin_port: int


@dataclass(frozen=True)
class ModelRecord:
    """A deployed model version: its bundle's path (`image`), the replicas wanted, and their environment."""

    model: ModelVersion
    input_type: str
    image: str
    replicas: tuple[ReplicaRecord, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterRecord:
    """A cluster as it is wanted. `redis_ip` is None if the cluster runs a Redis of its own."""

    version: str
    host: str
    query_port: int
    management_port: int
    rpc_port: int
    redis_ip: str | None
    redis_port: int
    drain_delay_s: float
    spec: ClusterSpec
    frontends: tuple[FrontendRecord, ...] = ()
    models: tuple[ModelRecord, ...] = ()

    @property
    def dial_host(self) -> str:
        """Return the address at which this machine reaches what is bound to `host`."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)

    def find(self, model: ModelVersion) -> ModelRecord | None:
        """Return the record of a model version, None if it is not deployed."""
        return next((record for record in self.models if record.model == model), None)


def default_state_root() -> Path:
    """Return CLIPPER_STATE_DIR, else `clipper` in XDG_STATE_HOME, by default ~/.local/state."""
    if chosen := os.environ.get("CLIPPER_STATE_DIR"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state").absolute() / "clipper"


class StateDirectory:
    """The directory of one cluster, `<root>/<cluster name>`; all in it is its owner's alone."""

    def __init__(self, root: Path, cluster_name: str) -> None:
        require_dns_name(cluster_name, "cluster name")
        self.cluster_name = cluster_name
        # Resolved, because the system reports processes' directories so.
        self.path = root.resolve() / cluster_name
        self.record_path = self.path / "cluster.json"
        self.redis_dir = self.path / "redis"
        self.bundles_dir = self.path / "bundles"
        self.logs_dir = self.path / "logs"
        self.supervisor_dir = self.path / "supervisor"
        self.work_dir = self.path / "work"
        # Shared by all clusters of this root; no cluster can have this name.
        self.environments_dir = self.path.parent / ".environments"

    @property
    def socket_dir(self) -> Path:
        """Return the directory of the cluster's unix sockets, whose paths must be short."""
        if len(os.fsencode(self.supervisor_dir)) <= _SOCKET_DIR_BYTES:
            return self.supervisor_dir
        digest = hashlib.sha256(os.fsencode(self.supervisor_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"clipper-{os.getuid()}-{digest}"

    def create(self) -> None:
        """Make the directories that the cluster's processes expect."""
        for path in (self.path, self.redis_dir, self.bundles_dir, self.logs_dir, self.work_dir):
            private_files.make_directory(path)
        # Earlier versions left files there that others could have read if they had reached them.
        private_files.close_to_others(self.path)

    def require_own(self) -> None:
        """Raise ContainerManagerError if other users could have put anything into the directory.

        Models in it are unpickled, and the record says which programs run.
        """
        for path in (self.path.parent, self.path):
            if distrust := private_files.find_distrust(path):
                raise ContainerManagerError(
                    f"Cannot use the state directory of cluster {self.cluster_name!r}: {distrust}"
                )

    def read(self) -> ClusterRecord | None:
        """Return the record, None if there is none.

        Raises ContainerManagerError if it is damaged, or if it could be another user's.
        """
        self.require_own()
        try:
            data = self.record_path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            return msgspec.json.decode(data, type=ClusterRecord)
        except msgspec.DecodeError as error:
            raise ContainerManagerError(
                f"Could not read the record of cluster {self.cluster_name!r}, {self.record_path} ({error}): "
                f"restore it, or remove {self.path} to start again"
            ) from error

    def write(self, record: ClusterRecord) -> None:
        """Replace the record: a reader sees the old one or the new one, whole."""
        data = msgspec.json.format(msgspec.json.encode(record), indent=2)
        temporary = self.record_path.with_suffix(".json.new")
        with private_files.open_private(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.record_path)

    def remove(self, *, keep_state: bool) -> None:
        """Delete the directory, or with `keep_state` only what the next start makes again."""
        for path in (self.supervisor_dir, self.work_dir) if keep_state else (self.path,):
            # Renamed first: an interrupted deletion leaves nothing that looks like a cluster's state.
            with contextlib.suppress(FileNotFoundError):
                path.rename(self.path.with_name(f"{self._doomed_prefix}{secrets.token_hex(4)}"))
        for path in self.path.parent.glob(f"{self._doomed_prefix}*"):
            try:
                # Another process that stops the cluster may be deleting it as well.
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(path)
            except OSError as error:
                raise ContainerManagerError(
                    f"Cluster {self.cluster_name!r} was stopped, but {path} could not be removed ({error}): "
                    "remove it"
                ) from error

    def mark_ending(self, *, ending: bool) -> None:
        """Note that the cluster is to end with its state, or that it is not, in case this is interrupted."""
        mark = self.path / _ENDING
        if not ending:
            mark.unlink(missing_ok=True)
        elif self.path.exists():
            mark.touch(mode=0o600)

    @property
    def is_ending(self) -> bool:
        """Return whether the end of the cluster with its state was begun, and not finished."""
        return (self.path / _ENDING).exists() or any(self.path.parent.glob(f"{self._doomed_prefix}*"))

    @property
    def _doomed_prefix(self) -> str:
        # No cluster's name has a dot.
        return f".removed.{self.cluster_name}."

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for the cluster's lock and hold it: one process at a time changes a cluster."""
        self.require_own()
        private_files.make_directory(self.path)
        with contextlib.ExitStack() as stack:
            while not lock_file(self.path / "lock", stack):
                private_files.make_directory(self.path)
            yield


def lock_file(path: Path, stack: contextlib.ExitStack) -> bool:
    """Lock `path` until `stack` closes. Return False if it was deleted meanwhile and guards nothing."""
    try:
        file = private_files.open_private(path, "ab")
    except FileNotFoundError:
        return False
    stack.callback(file.close)
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False

"""The local cluster that hostile clients share: two models, an application of each input type."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.local import programs
from tests.support.hostile.counts import Counts
from tests.support.hostile.near_json import TYPES
from tests.support.local_clusters import LocalCluster, build_model
from tests.support.models import Model

#: The application and the model that hostile cases leave alone.
CONTROL_APP, CONTROL_MODEL = "control", "sums"
#: Applications of each input type that hostile queries go to, by their names.
APPS = {f"hostile-{name}": name for name in TYPES}
#: The time in which the control's queries must be answered, on a machine that does much else.
CONTROL_SLO_S = 10.0
_MODELS = {"doubles": CONTROL_MODEL, "strings": "echo"}
_MEGABYTE = 1 << 20
#: What buffers and caches may keep after the storm.
_MAX_GROWTH_MB = 150.0


def sums() -> Model:
    """Return a model that answers with the sums of its inputs, which may be of unequal lengths."""

    def predict(inputs: Any) -> list[str]:
        return [str(row.sum()) for row in inputs]

    return predict


def echo() -> Model:
    """Return a model that answers with its input, whatever that looks like as an output."""

    def predict(inputs: Any) -> list[str]:
        return list(inputs)

    return predict


def memory_mb(pid: int) -> float:
    """Return the memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE


class Served:
    """A cluster that serves; `query` and `management` are its REST addresses, `rpc` its containers'."""

    def __init__(self, folder: Path) -> None:
        self.cluster = LocalCluster(folder / "state")
        self._folder = folder
        manager = self.cluster.make_manager()
        self.connection = ClipperConnection(manager)
        self.query = f"127.0.0.1:{self.cluster.ports['query_port']}"
        self.management = f"127.0.0.1:{self.cluster.ports['management_port']}"
        self.rpc = f"127.0.0.1:{self.cluster.ports['rpc_port']}"

    def __enter__(self) -> Self:
        self.connection.start_clipper()
        self._deploy(CONTROL_MODEL, "doubles", sums())
        self._deploy("echo", "strings", echo())
        self._register(CONTROL_APP, "doubles", CONTROL_SLO_S)
        for name, input_type in APPS.items():
            self._register(name, input_type, 1.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.__exit__()

    def _deploy(self, name: str, input_type: str, function: Model) -> None:
        image = build_model(self.cluster_manager, self._folder / name, function)
        self.connection.deploy_model(name, 1, input_type, image)

    def _register(self, name: str, input_type: str, slo_s: float) -> None:
        self.connection.register_application(name, input_type, "null", round(slo_s * 1e6))
        if input_type in _MODELS:
            self.connection.link_model_to_app(name, _MODELS[input_type])

    @property
    def cluster_manager(self) -> Any:
        """Return the manager of this cluster."""
        return self.connection.cm

    def watch(self, counts: Counts) -> Watch:
        """Return a block in which no process may end, and none may grow without bound."""
        return Watch(self, counts)


class Watch:
    """The processes of a cluster during a block: their ids, their memory, their logs."""

    def __init__(self, served: Served, counts: Counts) -> None:
        self._served = served
        self._counts = counts

    def __enter__(self) -> Self:
        self._pids = self._find_pids()
        self._log_sizes = {path: path.stat().st_size for path in self._logs()}
        self._before = self._memory_mb()
        return self

    def __exit__(self, *_: object) -> None:
        counts, after = self._counts, self._find_pids()
        for name, pid in self._pids.items():
            if after.get(name) != pid:
                counts.restarted(name)
        memory = self._memory_mb()
        counts.memory_mb = (sum(self._before.values()), sum(memory.values()))
        for name, grown in memory.items():
            if grown - self._before.get(name, grown) > _MAX_GROWTH_MB:
                counts.left_over(f"{name} grew from {self._before[name]:.0f} MB to {grown:.0f} MB")
        for path in self._logs():
            if traces := self._written(path).count("Traceback (most recent call last)"):
                counts.wrong(f"{traces} stack traces in {path.name}: {self._last_trace(path)}")

    def _find_pids(self) -> dict[str, int]:
        return {name: each.pid for name, each in self._served.cluster.processes().items()}

    def _memory_mb(self) -> dict[str, float]:
        pids = self._find_pids()
        return {name: memory_mb(pid) for name, pid in pids.items() if pid and name != programs.REDIS}

    def _logs(self) -> list[Path]:
        return sorted(self._served.cluster.state.logs_dir.glob("*.log"))

    def _written(self, path: Path) -> str:
        with path.open("rb") as file:
            file.seek(self._log_sizes.get(path, 0))
            return file.read().decode(errors="replace")

    def _last_trace(self, path: Path) -> str:
        return self._written(path).rpartition("Traceback (most recent call last)")[2][-600:]

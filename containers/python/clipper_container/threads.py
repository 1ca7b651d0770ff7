"""The number of threads that a replica computes with, and the variables by which libraries learn it.

Libraries take a thread for each core of the machine, and their threads spin while they wait. Two replicas on
the same cores then keep each other from running. So a replica has as many threads as its CPU limit, and they
wait without spinning. OpenMP and BLAS read the variables when they are loaded: they must be set before.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Optional

#: The variable by which a manager hands on the CPU limit, in cores, such as `0.5`.
CPU_LIMIT = "CLIPPER_CPU_LIMIT"
_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
_OTHERS: Mapping[str, str] = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "TF_NUM_INTEROP_THREADS": "1",
}
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def limit_threads(environment: MutableMapping[str, str]) -> str:
    """Set the variables that are not set, and return in words how many threads there are and why."""
    count, reason = count_threads(environment)
    for name in _COUNTS:
        environment.setdefault(name, str(count))
    for name, value in _OTHERS.items():
        environment.setdefault(name, value)
    return f"{count} compute thread{'s' if count > 1 else ''}, by {reason}"


def count_own_threads() -> int:
    """Return how many threads this process computes with: for libraries that do not read a variable."""
    return count_threads(os.environ)[0]


def count_threads(environment: Mapping[str, str]) -> tuple[int, str]:
    """Return how many threads a replica computes with, and what says so."""
    for name in ("OMP_NUM_THREADS", CPU_LIMIT):
        cores = _number(environment.get(name, "").partition(",")[0])
        if cores is not None:
            return max(1, math.floor(cores)), name
    cores = _cgroup_cores()
    if cores is not None:
        return max(1, math.floor(cores)), "the limit of its control group"
    return _usable_cores(), "the cores that it may use"


def _number(text: str) -> Optional[float]:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def _cgroup_cores() -> Optional[float]:
    """Return the smallest limit of this process's control groups, in cores; None if there is none."""
    limits = [*_limits_of_version_2(), *_limits_of_version_1()]
    return min(limits, default=None)


def _limits_of_version_2() -> Iterator[float]:
    for folder in _own_folders():
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        yield from _quotient(quota, period)


def _limits_of_version_1() -> Iterator[float]:
    folder = _CGROUPS / "cpu"
    yield from _quotient(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _own_folders() -> Iterator[Path]:
    """Yield the folder of this process's control group, and those above it."""
    for line in _read(_OWN_CGROUP).splitlines():
        if line.startswith("0::"):
            own = _CGROUPS / line[3:].lstrip("/")
            yield from (folder for folder in (own, *own.parents) if _CGROUPS in (folder, *folder.parents))


def _quotient(quota: str, period: str) -> Iterator[float]:
    counted, in_all = _number(quota), _number(period)
    if counted is not None and in_all is not None:
        yield counted / in_all


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""

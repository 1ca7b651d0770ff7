"""The number of threads that a replica computes with."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipper_container import threads
from clipper_container.threads import count_threads, limit_threads


@pytest.mark.parametrize(
    ("limit", "count"), [("0.5", 1), ("1", 1), ("1.9", 1), ("2", 2), ("2.5", 2), ("16", 16), ("1e1", 10)]
)
def test_a_cpu_limit_is_rounded_down_to_whole_threads_and_never_to_none(limit: str, count: int) -> None:
    assert count_threads({"CLIPPER_CPU_LIMIT": limit}) == (count, "CLIPPER_CPU_LIMIT")


@pytest.mark.parametrize("limit", ["", "many", "0", "-1", "nan", "inf"])
def test_what_is_no_limit_is_left_aside(limit: str) -> None:
    count, reason = count_threads({"CLIPPER_CPU_LIMIT": limit})
    assert count >= 1
    assert reason != "CLIPPER_CPU_LIMIT"


def test_what_the_user_sets_wins() -> None:
    environment = {"OMP_NUM_THREADS": "3", "CLIPPER_CPU_LIMIT": "8", "OMP_WAIT_POLICY": "ACTIVE"}
    assert limit_threads(environment) == "3 compute threads, by OMP_NUM_THREADS"
    assert environment["OMP_WAIT_POLICY"] == "ACTIVE"
    assert environment["OPENBLAS_NUM_THREADS"] == "3"


def test_threads_wait_without_spinning() -> None:
    environment = {"CLIPPER_CPU_LIMIT": "1"}
    assert limit_threads(environment) == "1 compute thread, by CLIPPER_CPU_LIMIT"
    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["GOMP_SPINCOUNT"] == "0"
    assert environment["TF_NUM_INTRAOP_THREADS"] == "1"


def test_without_a_limit_the_control_groups_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "jobs" / "replica"
    inner.mkdir(parents=True)
    (inner / "cpu.max").write_text("max 100000\n")
    (inner.parent / "cpu.max").write_text("250000 100000\n")
    (tmp_path / "own").write_text("0::/jobs/replica\n")
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path)
    monkeypatch.setattr(threads, "_OWN_CGROUP", tmp_path / "own")
    assert count_threads({}) == (2, "the limit of its control group")
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert count_threads({}) == (1, "the limit of its control group")


def test_without_any_limit_all_usable_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path)
    count, reason = count_threads({})
    assert count >= 1
    assert reason == "the cores that it may use"

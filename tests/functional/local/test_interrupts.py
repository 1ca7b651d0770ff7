"""Interrupts at each step of the calls that change a local cluster: what is left can be taken up again.

The steps are all calls to supervisord, to the state directory and to the processes, counted in a run without
an interrupt. Then each is interrupted once before and once after it has taken effect.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.local import LocalContainerManager, programs
from clipper_nomad.managers.local.bundles import Bundle, make_bundle
from clipper_nomad.managers.local.replicas import replica_programs
from clipper_nomad.types import ClusterSpec, DeploySpec, ModelVersion
from tests.support.fake_supervisord import FakeSupervisord, Interrupts, each_boundary
from tests.support.local_clusters import LocalCluster

ONE, TWO = ModelVersion("sums", "1"), ModelVersion("sums", "2")

Step = Callable[[LocalContainerManager, str], object]


def start(spec: ClusterSpec) -> Step:
    return lambda manager, _: manager.start_clipper(spec)


def deploy(model: ModelVersion, num_replicas: int) -> Step:
    return lambda manager, image: manager.deploy(DeploySpec(model, "doubles", image, num_replicas))


STARTED = start(ClusterSpec())
WITH_MODEL = (STARTED, deploy(ONE, 2))
KEPT = (*WITH_MODEL, lambda manager, _: manager.stop_all(keep_state=True))
CALLS: dict[str, tuple[tuple[Step, ...], Step]] = {
    "a first start": ((), STARTED),
    "a start with kept state": (KEPT, STARTED),
    "a roll": (WITH_MODEL, start(ClusterSpec(prediction_cache_bytes=5))),
    "more frontends": (WITH_MODEL, start(ClusterSpec(3))),
    "fewer frontends": ((start(ClusterSpec(3)), deploy(ONE, 1)), STARTED),
    "a deployment": (WITH_MODEL, deploy(TWO, 2)),
    "more replicas": (WITH_MODEL, lambda manager, _: manager.set_num_replicas(ONE, 4)),
    "fewer replicas": (WITH_MODEL, lambda manager, _: manager.set_num_replicas(ONE, 0)),
    "a stop of a version": (WITH_MODEL, lambda manager, _: manager.stop_models([ONE])),
    "a stop": (WITH_MODEL, lambda manager, _: manager.stop_all()),
    "a stop that keeps the state": (WITH_MODEL, lambda manager, _: manager.stop_all(keep_state=True)),
    "a stop that drains nothing": (WITH_MODEL, lambda manager, _: manager.stop_all(graceful=False)),
}


class Place:
    """Clusters, one after another, whose supervisord is in memory."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._numbers = itertools.count()
        self.interrupts = Interrupts()
        self.fake = FakeSupervisord(self.interrupts, patch)
        folder = root / "model"
        folder.mkdir()
        self._image = str(make_bundle(root / "bundles", folder, Bundle("python", ())))

    def prepare(self, before: tuple[Step, ...]) -> LocalContainerManager:
        """Return the manager of a new cluster that has taken the steps `before`."""
        self.interrupts.disarm()
        self.fake.forget()
        self.cluster = LocalCluster(self._root / str(next(self._numbers)))
        manager = self.cluster.make_manager()
        for step in before:
            self.take(step, manager)
        self.interrupts.disarm()
        return manager

    def take(self, step: Step, manager: LocalContainerManager) -> None:
        """Take a step; all deployments are of the same image."""
        step(manager, self._image)

    def outcome(self) -> object:
        """Return what is left: the programs, the settings and versions wanted, and whether there is state."""
        record = self.cluster.state.read()
        wanted = record and (record.spec, {each.model: len(each.replicas) for each in record.models})
        kept = sorted(self.fake.kept) if self.fake.is_alive else None
        return kept, wanted, self.cluster.state.path.exists()

    def require_whole(self) -> None:
        """Fail unless exactly the wanted programs run, and the frontends do by the settings in the record."""
        record = self.cluster.state.read()
        assert record is not None
        frontends = programs.frontend_programs(self.cluster.state, record)
        replicas = {each.name for each in replica_programs(self.cluster.state, record)}
        processes = self.cluster.processes()
        assert processes.keys() == {*frontends, *replicas, programs.REDIS}
        assert [name for name in frontends if not processes[name].is_of(frontends[name])] == []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


@pytest.mark.parametrize("call", CALLS)
def test_an_interrupted_call_can_be_repeated(place: Place, call: str) -> None:
    before, step = CALLS[call]
    place.take(step, place.prepare(before))
    count, outcome = place.interrupts.passed, place.outcome()
    assert count > 3
    for number, after in each_boundary(count):
        manager = place.prepare(before)
        place.interrupts.arm(number, after=after)
        with pytest.raises(KeyboardInterrupt):
            place.take(step, manager)
        place.interrupts.disarm()
        place.take(step, manager)
        assert place.outcome() == outcome, (number, after)


@pytest.mark.parametrize("call", ["a stop", "a stop that drains nothing"])
def test_an_interrupted_stop_is_finished_from_another_process(place: Place, call: str) -> None:
    before, step = CALLS[call]
    place.take(step, place.prepare(before))
    outcome = place.outcome()
    for number, after in each_boundary(place.interrupts.passed):
        manager = place.prepare(before)
        place.interrupts.arm(number, after=after)
        with pytest.raises(KeyboardInterrupt):
            place.take(step, manager)
        place.interrupts.disarm()
        ClipperConnection(place.cluster.make_manager()).stop_all()
        assert place.outcome() == outcome, (number, after)
        assert not place.cluster.state.is_ending


def test_state_that_is_kept_stays_where_nothing_runs(place: Place) -> None:
    place.prepare(KEPT)
    outcome = place.outcome()
    ClipperConnection(place.cluster.make_manager()).stop_all()
    assert place.outcome() == outcome


def test_a_cluster_whose_stop_was_interrupted_and_that_was_started_again_is_kept(place: Place) -> None:
    manager = place.prepare(WITH_MODEL)
    place.interrupts.arm(place.interrupts.passed + 2, after=True)
    with contextlib.suppress(KeyboardInterrupt):
        manager.stop_all()
    place.interrupts.disarm()
    manager = place.cluster.make_manager()
    manager.start_clipper(ClusterSpec())
    manager.stop_all(keep_state=True)
    assert not place.cluster.make_manager().finish_stop()
    assert place.cluster.state.path.exists()


@pytest.mark.parametrize("call", CALLS)
def test_a_start_after_an_interrupted_call_brings_back_what_is_missing(place: Place, call: str) -> None:
    before, step = CALLS[call]
    place.take(step, place.prepare(before))
    for number, after in each_boundary(place.interrupts.passed):
        manager = place.prepare(before)
        place.interrupts.arm(number, after=after)
        with pytest.raises(KeyboardInterrupt):
            place.take(step, manager)
        place.interrupts.disarm()
        place.cluster.make_manager().start_clipper(ClusterSpec())
        place.require_whole()


def test_a_start_after_two_interrupts_brings_back_what_is_missing(place: Place) -> None:
    before, step = CALLS["a roll"]
    place.take(step, place.prepare(before))
    first, last = place.interrupts.passed // 2, place.interrupts.passed
    for number in range(first, last):
        manager = place.prepare(before)
        for at in (first, number - first):
            place.interrupts.arm(at, after=True)
            with contextlib.suppress(KeyboardInterrupt):
                place.take(step, manager)
        place.interrupts.disarm()
        place.cluster.make_manager().start_clipper(ClusterSpec())
        place.require_whole()

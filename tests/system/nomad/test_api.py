"""Jobs, volumes and logs through a real Nomad: registered, followed, scaled, stopped."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.api.namespaces import provide_namespace
from clipper_nomad.managers.nomad.api.volumes import VolumeRequest, Volumes
from clipper_nomad.managers.nomad.clients.access import NomadAccess
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.jobs import TIMEOUT_S, Place, own_place
from tests.support.processes import eventually


@pytest.fixture
def place(nomad_cluster: NomadCluster) -> Iterator[Place]:
    with own_place(NomadAccess.from_environment(environment=nomad_cluster.environment)) as made:
        yield made


def test_a_job_is_registered_found_and_left_alone_when_it_is_the_same(place: Place) -> None:
    evaluation_id = place.jobs.apply(place.job())
    assert evaluation_id is not None
    assert place.jobs.wait_evaluated(evaluation_id, TIMEOUT_S) == {}
    assert place.await_deployment().status == "successful"
    assert [each.is_healthy for each in place.running] == [True]
    assert place.jobs.apply(place.job()) is None
    (found,) = place.jobs.find({"test.id": place.job_id})
    assert (found.id, found.count, found.is_stopped) == (place.job_id, 1, False)
    assert place.jobs.find({"test.id": place.job_id, "other": "x"}) == []
    assert place.jobs.read(f"{place.job_id}.other") is None


def test_a_missing_namespace_is_made_and_takes_jobs(nomad_cluster: NomadCluster) -> None:
    name = f"clipper-test-{uuid.uuid4().hex[:8]}"
    environment = nomad_cluster.environment
    api = NomadAPI(NomadAccess.from_environment(environment=environment))
    for _ in range(2):
        provide_namespace(api, name)
    inside = NomadAPI(NomadAccess.from_environment(namespace=name, environment=environment))
    assert inside.get("Cannot list jobs", "jobs").body == []
    api.ask("Cannot delete it", lambda: api.client.namespace.delete_namespace(name), is_read=False)


def test_the_message_of_nomads_parser_is_in_the_error(place: Place) -> None:
    with pytest.raises(ContainerManagerError, match=r"Cannot parse.*Missing expression"):
        place.jobs.apply('job "x" { foo = ')


def test_another_persons_change_is_not_overwritten(place: Place) -> None:
    job = place.jobs.parse(place.job())
    plan = place.jobs.plan(job)
    assert (plan.index, plan.num_placed) == (0, 1)
    place.start(place.job(count=2))
    with pytest.raises(ContainerManagerError, match="somebody else has changed it meanwhile"):
        place.jobs.put(job, plan.index)
    (found,) = place.jobs.find({"test.id": place.job_id})
    assert found.count == 2


def test_scaling_has_a_message_and_waits_for_an_active_deployment(place: Place) -> None:
    place.start(place.job(min_healthy_time="3s"))
    place.scale(3, "three please")
    assert place.deployment.is_active
    assert place.scale(2, "two are enough") == {}
    eventually(lambda: len(place.running) == 2, "two are left")
    status = place.api.get("Cannot read", f"job/{place.job_id}/scale").body
    messages = [event["Message"] for event in status["TaskGroups"]["model"]["Events"]]
    assert messages == ["two are enough", "three please"]


def test_missing_room_is_known_before_scaling_and_scaling_can_be_undone(place: Place) -> None:
    place.start(place.job(memory_mib=500))
    plan = place.jobs.plan_count(place.job_id, 1000)
    failure = plan.failures["model"]
    assert plan.num_placed + failure.num_unplaced == 999
    assert "not enough memory left on 1 node" in failure.describe()
    assert place.scale(1000, "too many")["model"].num_unplaced == failure.num_unplaced
    # By itself this deployment would not end in time: scaling ends it.
    place.scale(1, "what there is room for")
    eventually(lambda: len(place.running) == 1, "one is left")
    assert place.await_deployment().status == "successful"


def test_a_missing_device_is_named(place: Place) -> None:
    evaluation_id = place.jobs.apply(place.job(task='device "nvidia/gpu" { count = 2 }'))
    assert evaluation_id is not None
    failures = place.jobs.wait_evaluated(evaluation_id, TIMEOUT_S)
    assert "missing device nvidia/gpu (count 2) on 1 node" in failures["model"].describe()


def test_stopping_returns_when_nothing_runs_and_leaves_nothing(place: Place, tmp_path: Path) -> None:
    marker = tmp_path / "ended"
    place.start(place.job(f"trap 'sleep 1; echo done > {marker}; exit 0' TERM; while :; do sleep 0.1; done"))
    with pytest.raises(ContainerManagerError, match=r"these allocations still run: .*model\[0\]"):
        place.jobs.stop([place.job_id], timeout_s=0.1)
    # A stop without a wait can be undone, and done again.
    assert place.jobs.apply(place.job()) is not None
    place.jobs.stop([place.job_id, f"{place.job_id}.unknown"], timeout_s=TIMEOUT_S)
    assert marker.read_text() == "done\n"
    assert place.jobs.read(place.job_id) is None


def test_a_job_that_is_stopped_while_it_starts_leaves_nothing(place: Place) -> None:
    place.jobs.apply(place.job(count=3))
    place.jobs.stop([place.job_id], timeout_s=TIMEOUT_S)
    assert place.jobs.read(place.job_id) is None
    assert [each for each in place.jobs.allocations(place.job_id) if not each.is_terminal] == []


def test_a_task_that_ends_at_its_start_keeps_failing_and_its_log_goes_on(
    place: Place, tmp_path: Path
) -> None:
    place.jobs.apply(place.job("echo starting; echo broken >&2; exit 3"))
    eventually(lambda: place.await_failing().num_ends > 1, "it was started again")
    failing = place.await_failing()
    assert failing.describe_end() == "exit status 3"
    assert place.logs.tail(failing, 1) == "starting\nbroken\n"

    def written() -> str:
        place.logs.write(failing, tmp_path / "log")
        return (tmp_path / "log").read_text()

    eventually(lambda: written().count("starting\n") >= 2, "the log holds both runs")
    assert written().endswith("broken\n")


def test_a_missing_command_is_reported(place: Place) -> None:
    place.jobs.apply(place.job().replace("/bin/sh", "/bin/not-there"))
    assert '"/bin/not-there"' in place.await_failing().describe_end()


def test_the_end_of_a_long_log_is_read(place: Place) -> None:
    place.start(place.job("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; exec sleep 600"))
    (allocation,) = place.running
    eventually(lambda: "line 19999" in place.logs.tail(allocation, 1), "all is written")
    assert place.logs.tail(allocation, 3) == "line 19997\nline 19998\nline 19999\n"


def test_a_volume_is_made_once_and_deleted(place: Place) -> None:
    volumes = Volumes(place.api)
    name = place.job_id.replace(".", "-")
    made = volumes.create(VolumeRequest(name, parameters={"uid": "10001", "gid": "10001"}), TIMEOUT_S)
    try:
        assert volumes.find(name) == [made]
        assert made.state == "ready"
    finally:
        volumes.delete(name, TIMEOUT_S)
    assert volumes.find(name) == []
    volumes.delete(name, TIMEOUT_S)
    with pytest.raises(ContainerManagerError, match="unknown mkdir parameter"):
        volumes.create(VolumeRequest(name, parameters={"owner": "me"}), TIMEOUT_S)

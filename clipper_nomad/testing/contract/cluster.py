"""The contract of a cluster as a whole: started, found again, rolled, repaired, refused, stopped."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError, UnconnectedException
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.testing.harness import Build, Harness
from clipper_nomad.testing.models import constant, row_sums, variable
from clipper_nomad.testing.rest import RefusedError, predict, request
from clipper_nomad.testing.waiting import eventually
from clipper_nomad.types import ClusterSpec, DeploySpec, ModelVersion

SUMS = ModelVersion("sums", "1")


def start(harness: Harness, num_query_frontends: int = 1) -> ClipperConnection:
    connection = ClipperConnection(harness.make_manager())
    connection.start_clipper(num_frontend_replicas=num_query_frontends)
    return connection


def is_ready(address: str) -> bool:
    try:
        return request(address, "GET", "/health/ready")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def wait_for_another_run(harness: Harness, part: str, run: str) -> None:
    eventually(lambda: harness.parts().get(part, run) != run, f"{part} is started again")


@pytest.mark.smoke
def test_a_started_cluster_is_ready_at_the_addresses_that_it_gives(running: Harness) -> None:
    manager = running.make_manager()
    manager.connect()
    assert is_ready(manager.get_query_address())
    assert is_ready(manager.get_management_address())
    status, text = request(manager.get_metric_address(), "GET", "/metrics")
    assert status == 200
    assert b"clipper_" in text
    assert {"redis", "management-frontend"} < running.parts().keys()


@pytest.mark.smoke
def test_starting_a_running_cluster_again_changes_nothing(running: Harness) -> None:
    before = running.parts()
    start(running)
    assert running.parts() == before


@pytest.mark.smoke
def test_another_process_connects_by_name_and_place_alone(running: Harness) -> None:
    script = running.connect_script() + (
        "print(manager.get_query_address(), manager.get_management_address(), manager.get_replicas())\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    manager = running.make_manager()
    manager.connect()
    assert result.stdout == f"{manager.get_query_address()} {manager.get_management_address()} {{}}\n"


def test_connecting_to_nothing_says_what_to_do(idle: Harness) -> None:
    with pytest.raises(ContainerManagerError, match="start_clipper"):
        idle.make_manager().connect()


@pytest.mark.parametrize(
    "call",
    [
        lambda manager: manager.get_query_address(),
        lambda manager: manager.get_management_address(),
        lambda manager: manager.get_metric_address(),
        lambda manager: manager.deploy(DeploySpec(SUMS, "doubles", "image")),
        lambda manager: manager.check_replicas(SUMS),
        lambda manager: manager.get_num_replicas(SUMS),
        lambda manager: manager.get_replicas(),
        lambda manager: manager.set_num_replicas(SUMS, 1),
        lambda manager: manager.stop_models([SUMS]),
        lambda manager: manager.get_logs(Path()),
        lambda manager: manager.tail_logs(SUMS),
        lambda manager: manager.stop_all(),
    ],
)
def test_nothing_works_before_the_cluster_is_connected(
    idle: Harness, call: Callable[[ContainerManager], object]
) -> None:
    with pytest.raises(UnconnectedException):
        call(idle.make_manager())
    assert idle.is_gone()


def test_a_name_that_cannot_be_one_is_refused(idle: Harness) -> None:
    manager_class: Any = type(idle.make_manager())
    with pytest.raises(ContainerManagerError, match="cluster name"):
        manager_class(cluster_name="no.dots")


def test_a_taken_port_is_named_and_nothing_is_left(harness: Harness) -> None:
    with harness.taken_port() as refusal, pytest.raises(ContainerManagerError, match=refusal):
        start(harness)
    assert harness.is_gone()


def test_a_cluster_that_is_to_be_elsewhere_is_refused_and_left_alone(running: Harness) -> None:
    before = running.parts()
    (setting, value), *_ = running.elsewhere.items()
    with pytest.raises(ContainerManagerError, match=f"{setting} .* and not {value}"):
        running.make_manager(**running.elsewhere).start_clipper(ClusterSpec())
    assert running.parts() == before


def test_another_spec_rolls_the_query_frontends_and_one_that_fails_is_taken_back(
    harness: Harness, build: Build
) -> None:
    connection = start(harness, 2)
    image = build(connection.cm, row_sums())
    connection.deploy_model("sums", 1, "doubles", image)
    before = harness.parts()
    frontends = {name for name in before if name.startswith("query-frontend")}
    assert len(frontends) == 2

    connection.start_clipper(cache_size=1_000_000, num_frontend_replicas=2)
    rolled = harness.parts()
    assert rolled.keys() == before.keys()
    assert {name for name in before if rolled[name] != before[name]} == frontends
    assert is_ready(connection.get_query_addr())

    another = ClipperConnection(harness.make_manager())
    another.start_clipper()
    assert harness.parts() == rolled, "settings that are not given stay"

    with pytest.raises(ContainerManagerError, match=r"(?s)last lines of its log.*-5"):
        harness.make_manager().start_clipper(ClusterSpec(2, prediction_cache_bytes=-5))
    eventually(lambda: harness.parts().keys() == before.keys(), "all runs as before")
    kept = harness.parts()
    assert {name for name in kept if kept[name] != rolled[name]} < frontends
    eventually(lambda: is_ready(connection.get_query_addr()), "the frontend serves as before")

    connection.start_clipper(cache_size=1_000_000, num_frontend_replicas=1)
    assert len([name for name in harness.parts() if name.startswith("query-frontend")]) == 1
    assert harness.parts()["model.sums.1.0"] == before["model.sums.1.0"]


def test_a_newer_version_rolls_the_frontends_and_an_older_one_is_refused(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(harness)
    before = harness.parts()
    with monkeypatch.context() as newer:
        newer.setattr(harness.version_function, lambda *_: "99.0")
        start(harness)
    rolled = harness.parts()
    assert {name for name in before if rolled[name] != before[name]} == before.keys() - {"redis"}
    with pytest.raises(ContainerManagerError, match=r"runs version 99\.0, and this is the older"):
        start(harness)
    assert harness.parts() == rolled


@pytest.mark.smoke
def test_what_is_killed_comes_back(harness: Harness, build: Build) -> None:
    connection = start(harness)
    connection.deploy_model("sums", 1, "doubles", build(connection.cm, row_sums()))
    connection.register_application("app", "doubles", "none", 1_000_000)
    connection.link_model_to_app("app", "sums")
    for part, run in harness.parts().items():
        harness.kill(part)
        wait_for_another_run(harness, part, run)

    def answers() -> bool:
        try:
            answer = predict(connection.get_query_addr(), "app", input=[1.0, 2.0])
        except (OSError, RefusedError, http.client.HTTPException):
            return False
        return bool(answer["output"] == 3.0)

    eventually(answers, "queries are answered by the model")
    connection.cm.check_replicas(SUMS)


def test_two_clusters_in_one_place_never_meet(
    running: Harness, harness: Harness, manager: ContainerManager, build: Build
) -> None:
    other = harness.make_manager()
    other.start_clipper(ClusterSpec())
    image = build(manager, constant("ours"))
    manager.deploy(DeploySpec(SUMS, "doubles", image))
    assert other.get_replicas() == {}
    other.deploy(DeploySpec(SUMS, "doubles", build(other, constant("theirs")), num_replicas=0))
    ours = running.parts()
    other.stop_models([SUMS])
    other.stop_all()
    assert harness.is_gone()
    assert running.parts() == ours
    assert manager.get_replicas() == {SUMS: 1}


@pytest.mark.keeps_state
def test_kept_state_brings_back_what_was_registered_and_the_replicas_wanted(
    harness: Harness, build: Build
) -> None:
    connection = start(harness, 2)
    connection.register_application("app", "doubles", "none", 5_000_000, on_default="wait")
    image = build(connection.cm, row_sums())
    connection.deploy_model("sums", 1, "doubles", image, num_replicas=2)
    other = build(connection.cm, variable("GREETING"))
    connection.deploy_model("sums", 2, "doubles", other, num_replicas=0, environment={"GREETING": "kept"})
    connection.link_model_to_app("app", "sums")
    connection.set_model_version("sums", 1)
    connection.stop_all(keep_state=True)
    assert harness.parts() == {}
    assert not harness.is_gone()
    with pytest.raises(ContainerManagerError, match=r"does not run.*start_clipper\(\) brings it back"):
        harness.make_manager().connect()

    again = start(harness)
    assert again.get_all_apps() == ["app"]
    assert again.cm.get_replicas() == {SUMS: 2, ModelVersion("sums", "2"): 0}
    eventually(lambda: len(again.get_all_model_replicas()) == 2, "both replicas are connected again")
    assert predict(again.get_query_addr(), "app", input=[1.0, 2.0])["output"] == 3.0
    again.set_num_replicas("sums", 1, 2)
    answer = predict(again.get_query_addr(), "app", input=[1.0], version="2")
    assert answer["output"] == "kept"

    again.stop_all()
    assert harness.is_gone()
    assert start(harness).get_all_apps() == []


@pytest.mark.keeps_state
def test_a_start_that_fails_leaves_kept_state_as_it_was(harness: Harness, build: Build) -> None:
    connection = start(harness)
    connection.register_application("app", "doubles", "none", 1_000_000)
    connection.cm.deploy(DeploySpec(SUMS, "doubles", build(connection.cm, row_sums())))
    connection.stop_all(graceful=False, keep_state=True)
    with harness.taken_port() as refusal, pytest.raises(ContainerManagerError, match=refusal):
        start(harness)
    assert harness.parts() == {}
    again = start(harness)
    assert again.get_all_apps() == ["app"]
    assert again.cm.get_replicas() == {SUMS: 1}


@pytest.mark.smoke
def test_a_stop_leaves_nothing_and_disconnects(harness: Harness) -> None:
    connection = start(harness)
    manager, other = connection.cm, harness.make_manager()
    other.connect()
    connection.stop_all(graceful=False)
    assert harness.is_gone()
    with pytest.raises(UnconnectedException):
        manager.get_query_address()
    with pytest.raises(ContainerManagerError, match=re.escape("stopped meanwhile")):
        other.get_query_address()

"""Deploying, scaling and stopping: in which order things are asked for, and what failures leave behind."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import (
    ClipperException,
    ContainerManagerError,
    DeploymentError,
    ManagementError,
    NotReachableError,
)
from clipper_nomad.management import ManagementClient
from clipper_nomad.testing import RecordingManager
from clipper_nomad.types import DeploySpec, Device, ModelRegistration, ModelVersion, Resources
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend
from tests.support.recording_manager import connect

SUM_1 = ModelVersion("sum", "1")
SUM_2 = ModelVersion("sum", "2")

CONTAINERS_DB = 3
FRONTENDS_DB = 4

Connected = tuple[ClipperConnection, RecordingManager]


@pytest.fixture
def connected(management: ManagementFrontend, redis_server: RedisServer) -> Connected:
    return connect(management, redis_server)


def test_replicas_start_first_and_then_the_version_becomes_current(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model(
        "sum",
        1,
        "d",
        "an-image",
        ["a", "b"],
        2,
        8,
        resources=Resources(cpu=1),
        devices=[Device("nvidia/gpu")],
    )
    assert manager.events == ["deploy sum:1, unregistered"]
    assert manager.specs == [
        DeploySpec(SUM_1, "doubles", "an-image", 2, Resources(cpu=1), (Device("nvidia/gpu"),))
    ]
    info = clipper.get_model_info("sum", 1)
    assert info is not None
    assert len(info.pop("deployed_as")) == 64
    assert info == {
        "model_name": "sum",
        "model_version": "1",
        "input_type": "doubles",
        "labels": ["a", "b"],
        "container_name": "an-image",
        "model_data_path": "",
        "batch_size": 8,
        "is_current_version": True,
        "output_type": "json",
        "cache_ttl_s": None,
    }


def test_the_options_of_a_deployment_reach_the_manager_and_the_registry(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model(
        "sum", 1, "doubles", "image", environment={"A": "b"}, output_type="string", cache_ttl_s=2
    )
    assert manager.specs == [DeploySpec(SUM_1, "doubles", "image", environment={"A": "b"})]
    info = clipper.get_model_info("sum", 1)
    assert info is not None
    assert (info["output_type"], info["cache_ttl_s"]) == ("string", 2.0)


def test_the_same_deployment_again_is_a_line_in_the_log(
    connected: Connected, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    clipper, manager = connected
    caplog.set_level(logging.INFO, "clipper")
    for num_replicas in (2, 1):
        clipper.build_and_deploy_model(
            "sum", 1, "d", tmp_path, "default", ["a"], num_replicas=num_replicas, environment={"A": "b"}
        )
    assert caplog.messages[-1] == "Model version sum:1 is deployed already, and nothing differs"
    assert manager.replicas == {SUM_1: 2}
    assert clipper.get_current_model_version("sum") == "1"


def test_a_version_that_is_deployed_again_and_not_current_is_warned_of(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    clipper, _ = connected
    for version in (1, 2, 1):
        clipper.deploy_model("sum", version, "doubles", "image")
    (warning,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warning == "Model version sum:1 is not current: set_model_version() makes it so"
    assert clipper.get_current_model_version("sum") == "2"


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"image": "other"}, "its function, its files, its packages or the options of its deployment differ"),
        ({"environment": {"A": "c"}}, "its function, its files"),
        ({"sample_input": [1.0]}, "its function, its files"),
        ({"resources": Resources(cpu=2)}, "its function, its files"),
        ({"labels": ["b"]}, r"labels differs \(\[\] is registered, not \['b'\]\)"),
        ({"cache_ttl_s": 5}, r"cache_ttl_s differs \(None is registered, not 5"),
    ],
)
def test_another_deployment_of_a_version_is_refused_with_what_to_do(
    connected: Connected, changed: dict[str, Any], difference: str
) -> None:
    clipper, manager = connected
    asked: dict[str, Any] = {"image": "image", "environment": {"A": "b"}}
    clipper.deploy_model("sum", 1, "doubles", **asked)
    with pytest.raises(
        ClipperException, match=rf"never changes: {difference}.*Use another version"
    ) as caught:
        clipper.deploy_model("sum", 1, "doubles", **{**asked, **changed})
    assert caught.value.msg.endswith('stop this one with stop_versioned_models({"sum": ["1"]}) first.')
    assert manager.events == ["deploy sum:1, unregistered"]


def test_a_version_whose_replicas_are_gone_is_not_taken_for_deployed(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    manager.replicas.clear()
    with pytest.raises(
        ClipperException, match="is registered already, and a version never changes: use another"
    ):
        clipper.deploy_model("sum", 1, "doubles", "image")


def test_a_registered_version_is_refused_before_anything_is_built_or_started(
    connected: Connected, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clipper, manager = connected
    clipper.register_model("sum", 1, "doubles")
    with pytest.raises(ClipperException, match="sum:1 is registered already"):
        clipper.deploy_model("sum", "1", "doubles", "image")
    folder = tmp_path_factory.mktemp("model")
    with pytest.raises(ClipperException, match="sum:1 is registered already"):
        clipper.build_and_deploy_model("sum", "1", "doubles", folder, "default")
    assert manager.events == []


def test_replicas_that_keep_failing_leave_nothing_behind(connected: Connected) -> None:
    clipper, manager = connected
    manager.keep_failing()
    with pytest.raises(DeploymentError, match="ValueError: the model is broken"):
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert manager.events == ["deploy sum:1, unregistered", "stop sum:1, unregistered"]
    assert clipper.get_all_models() == []

    manager.works_again("f1")
    clipper.deploy_model("sum", 1, "doubles", "image")
    assert clipper.get_current_model_version("sum") == "1"


def test_a_version_that_one_query_frontend_lacks_is_not_ready(
    management: ManagementFrontend, redis_server: RedisServer
) -> None:
    clipper, manager = connect(management, redis_server, "f1", "f2")
    manager.works_again("f1")
    with pytest.raises(DeploymentError) as caught:
        clipper.deploy_model("sum", 1, "doubles", "image", timeout_s=0.3)
    assert "within 0.3 s: no replica was ready at query frontend f2 (127.0.0.1:7000)" in str(caught.value)
    assert str(caught.value).endswith("ValueError: the model is broken")
    assert manager.replicas == {}
    assert clipper.get_model_info("sum", 1) is None


def test_a_version_3_replica_at_one_query_frontend_counts_for_all(
    management: ManagementFrontend, redis_server: RedisServer
) -> None:
    clipper, manager = connect(management, redis_server, "f1", "f2")
    manager.works_again("f1")
    manager.rpc_version = 3
    clipper.deploy_model("sum", 1, "doubles", "image", timeout_s=5)
    assert clipper.get_current_model_version("sum") == "1"


def test_a_sample_input_that_version_3_containers_do_not_know_is_warned_of(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image", sample_input=[1.0])
    assert not [each for each in caplog.records if each.levelname == "WARNING"]
    manager.rpc_version = 3
    clipper.deploy_model("sum", 2, "doubles", "image", sample_input=[1.0])
    (warning,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warning.startswith("The sample input of model version sum:2 was not tried")


def test_without_a_query_frontend_nothing_is_ready(connected: Connected, redis_server: RedisServer) -> None:
    clipper, manager = connected
    manager.works_again()
    with redis_server.client(FRONTENDS_DB) as frontends:
        frontends.flushdb()
    with pytest.raises(DeploymentError, match="there is no live query frontend"):
        clipper.deploy_model("sum", 1, "doubles", "image", timeout_s=0.2)


def test_a_registration_whose_answer_was_lost_is_taken_back(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    clipper, manager = connected
    add_model = ManagementClient.add_model

    def lose_answer(self: ManagementClient, registration: ModelRegistration) -> None:
        add_model(self, registration)
        raise NotReachableError("the answer was lost")

    monkeypatch.setattr(ManagementClient, "add_model", lose_answer)
    with pytest.raises(NotReachableError, match="the answer was lost"):
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert clipper.get_all_models() == []
    assert manager.replicas == {}


def test_an_interrupted_deployment_leaves_nothing_behind(connected: Connected) -> None:
    clipper, manager = connected
    manager.keep_failing()

    def interrupt() -> None:
        raise KeyboardInterrupt

    manager.on_check = interrupt
    with pytest.raises(KeyboardInterrupt):
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert manager.replicas == {}
    assert clipper.get_all_models() == []


def test_replicas_of_another_deployment_are_left_alone(connected: Connected) -> None:
    clipper, manager = connected
    manager.replicas[SUM_1] = 1
    with pytest.raises(ContainerManagerError, match="deployed already"):
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert manager.events == []
    assert manager.replicas == {SUM_1: 1}


def test_replicas_of_a_version_that_is_refused_are_removed(connected: Connected) -> None:
    clipper, manager = connected
    clipper.register_application("app", "doubles", "0", 100_000)
    clipper.deploy_model("sum", 1, "doubles", "image")
    clipper.link_model_to_app("app", "sum")
    with pytest.raises(ManagementError, match="input type"):
        clipper.deploy_model("sum", 2, "strings", "image")
    assert manager.replicas == {SUM_1: 1}
    assert clipper.get_current_model_version("sum") == "1"


def test_a_clean_up_that_fails_is_told_beside_the_cause(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    clipper, manager = connected
    manager.keep_failing()

    def refuse(_: object) -> None:
        raise ContainerManagerError("the manager is away.")

    monkeypatch.setattr(manager, "stop_models", refuse)
    with pytest.raises(DeploymentError, match="keeps failing") as caught:
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert "could not be removed: the manager is away." in caught.value.__notes__[0]


def test_a_version_without_replicas_is_not_waited_for(connected: Connected) -> None:
    clipper, manager = connected
    manager.keep_failing()
    clipper.deploy_model("sum", 1, "doubles", "image", num_replicas=0)
    assert clipper.get_num_replicas("sum") == 0
    assert clipper.get_current_model_version("sum") == "1"


def write_ready(redis_server: RedisServer, model: ModelVersion = SUM_1) -> None:
    with redis_server.client(FRONTENDS_DB) as frontends:
        frontends.hset("QUERY_FRONTEND:f1", f"ready:{model}", "4")


def test_a_deployment_waits_for_all_its_replicas(connected: Connected, redis_server: RedisServer) -> None:
    clipper, manager = connected
    manager.ready_at = ()
    checked = []

    def connect_one_more() -> None:
        checked.append(clipper.get_all_model_replicas())
        manager.write_container(SUM_1, len(checked) - 1)
        write_ready(redis_server)

    manager.on_check = connect_one_more
    clipper.deploy_model("sum", 1, "doubles", "image", num_replicas=3)
    assert checked == [[], ["sum:1:0"], ["sum:1:0", "sum:1:1"]]


def test_one_replica_that_keeps_failing_beside_ready_ones_fails_the_deployment(
    connected: Connected, redis_server: RedisServer
) -> None:
    clipper, manager = connected
    manager.keep_failing()
    manager.write_container(SUM_1, 0)
    write_ready(redis_server)
    with pytest.raises(DeploymentError, match="ValueError: the model is broken"):
        clipper.deploy_model("sum", 1, "doubles", "image", num_replicas=2)
    assert manager.replicas == {}
    assert clipper.get_all_models() == []


def test_a_deployment_that_lacks_replicas_counts_those_that_are_there(
    connected: Connected, redis_server: RedisServer
) -> None:
    clipper, manager = connected
    manager.ready_at = ()
    manager.write_container(SUM_1, 0)
    write_ready(redis_server)
    with pytest.raises(DeploymentError, match=r"within 0\.2 s: 1 of 3 replicas were connected\."):
        clipper.deploy_model("sum", 1, "doubles", "image", num_replicas=3, timeout_s=0.2)
    assert manager.replicas == {}


def test_a_version_that_is_scaled_while_it_is_deployed_waits_for_the_new_number(
    connected: Connected, redis_server: RedisServer
) -> None:
    clipper, manager = connected
    manager.ready_at = ()

    def scale() -> None:
        manager.set_num_replicas(SUM_1, 1)
        manager.write_container(SUM_1, 0)
        write_ready(redis_server)

    manager.on_check = scale
    clipper.deploy_model("sum", 1, "doubles", "image", num_replicas=3, timeout_s=20)
    assert manager.replicas == {SUM_1: 1}


def test_a_version_that_is_stopped_while_it_is_waited_for_fails_at_once(connected: Connected) -> None:
    clipper, manager = connected
    manager.ready_at = ()
    manager.on_check = lambda: clipper.stop_versioned_models({"sum": ["1"]})
    with pytest.raises(DeploymentError, match="sum:1 was stopped while it was being deployed"):
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert manager.events == ["deploy sum:1, unregistered", "stop sum:1, unregistered"]
    assert clipper.get_all_models() == []


def test_a_version_that_is_stopped_just_before_its_registration_is_not_registered(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    clipper, manager = connected
    add_model = ManagementClient.add_model

    def stop_first(self: ManagementClient, registration: ModelRegistration) -> None:
        clipper.stop_versioned_models({"sum": ["1"]})
        add_model(self, registration)

    monkeypatch.setattr(ManagementClient, "add_model", stop_first)
    with pytest.raises(DeploymentError, match="sum:1 was stopped while it was being deployed"):
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert clipper.get_all_models() == []
    assert manager.replicas == {}


def test_a_version_that_is_registered_while_its_replicas_are_removed_is_unregistered(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    clipper, manager = connected
    manager.replicas[SUM_1] = 1
    stop_models = manager.stop_models

    def register_first(models: Any) -> None:
        clipper.register_model("sum", 1, "doubles")
        stop_models(models)

    monkeypatch.setattr(manager, "stop_models", register_first)
    clipper.stop_versioned_models({"sum": ["1"]})
    assert clipper.get_all_models() == []


def test_a_version_that_was_stopped_and_deployed_again_is_left_to_the_later_deployment(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    clipper, manager = connected
    add_model = ManagementClient.add_model

    def be_second(self: ManagementClient, registration: ModelRegistration) -> None:
        monkeypatch.setattr(ManagementClient, "add_model", add_model)
        clipper.stop_versioned_models({"sum": ["1"]})
        clipper.deploy_model("sum", 1, "doubles", "image of somebody else")
        add_model(self, registration)

    monkeypatch.setattr(ManagementClient, "add_model", be_second)
    with pytest.raises(DeploymentError, match="sum:1 was registered by somebody else"):
        clipper.deploy_model("sum", 1, "doubles", "image")
    assert manager.replicas == {SUM_1: 1}
    found = clipper.get_model_info("sum", 1)
    assert found is not None
    assert found["container_name"] == "image of somebody else"


def test_stopping_the_current_version_warns_and_names_what_is_left(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    clipper, _ = connected
    for version in (1, 2, 3):
        clipper.deploy_model("sum", version, "doubles", "image")
    clipper.stop_versioned_models({"sum": ["1"]})
    assert not [each for each in caplog.records if each.levelname == "WARNING"]
    clipper.stop_versioned_models({"sum": ["3"]})
    (warning,) = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warning.startswith("Model sum has no current version now")
    assert warning.endswith("choose one of 2 with set_model_version()")
    clipper.set_model_version("sum", 2)
    clipper.stop_models(["sum"])
    assert len([each for each in caplog.records if each.levelname == "WARNING"]) == 1


def test_scaling_up_waits_for_the_new_replicas(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    manager.ready_at = ()
    checked = []

    def connect_one_more() -> None:
        checked.append(clipper.get_all_model_replicas())
        manager.write_container(SUM_1, len(checked))

    manager.on_check = connect_one_more
    clipper.set_num_replicas("sum", 3)
    assert checked == [["sum:1:0"], ["sum:1:0", "sum:1:1"]]
    assert clipper.get_num_replicas("sum", 1) == 3


def test_scaling_up_has_an_end(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    manager.ready_at = ()
    with pytest.raises(
        DeploymentError, match=r"to 2 replicas within 0.2 s: 1 of them were connected[^$]*broken"
    ):
        clipper.set_num_replicas("sum", 2, timeout_s=0.2)


def test_scaling_down_does_not_wait(connected: Connected, redis_server: RedisServer) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image", num_replicas=2)
    manager.keep_failing()
    with redis_server.client(CONTAINERS_DB) as containers:
        containers.flushdb()
    clipper.set_num_replicas("sum", 1, 1)
    assert manager.replicas == {SUM_1: 1}


def test_a_version_has_its_replicas_before_it_becomes_current(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    clipper.deploy_model("sum", 2, "doubles", "image")
    current_at_scaling = []
    scale = manager.set_num_replicas

    def record_current(model: ModelVersion, num_replicas: int) -> None:
        current_at_scaling.append(clipper.get_current_model_version("sum"))
        scale(model, num_replicas)

    monkeypatch.setattr(manager, "set_num_replicas", record_current)
    clipper.set_model_version("sum", 1, 2)
    assert current_at_scaling == ["2"]
    assert clipper.get_current_model_version("sum") == "1"
    assert manager.replicas == {SUM_1: 2, SUM_2: 1}


def test_a_version_that_is_not_registered_is_neither_scaled_nor_made_current(connected: Connected) -> None:
    clipper, manager = connected
    with pytest.raises(ClipperException, match="sum:1 is not registered"):
        clipper.set_model_version("sum", 1, num_replicas=2)
    with pytest.raises(ManagementError, match="sum"):
        clipper.set_model_version("sum", 1)
    assert manager.events == []


def test_stopping_unregisters_before_replicas_go(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    clipper.deploy_model("sum", 2, "doubles", "image")
    clipper.deploy_model("other", 1, "doubles", "image")
    manager.events.clear()
    clipper.stop_models(["sum"])
    assert manager.events == ["stop sum:1, unregistered", "stop sum:2, unregistered"]
    assert clipper.get_all_models() == ["other:1"]


def test_stopping_versions_takes_numbers_and_passes_over_what_is_not_there(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    clipper.deploy_model("sum", 2, "doubles", "image")
    clipper.stop_versioned_models({"sum": [1, "7"], "missing": ["1"]})
    assert clipper.get_all_models() == ["sum:2"]
    assert manager.replicas == {SUM_2: 1}


def test_a_version_stopped_can_be_deployed_again(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    clipper.stop_versioned_models({"sum": "1"})
    clipper.deploy_model("sum", 1, "doubles", "another-image")
    assert manager.replicas == {SUM_1: 1}


def test_stopping_inactive_versions_spares_what_is_current_and_what_serves(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    manager.keep_failing()
    # Without ready replicas neither takes over from version 1.
    for version in (2, 3):
        clipper.deploy_model("sum", version, "doubles", "image", num_replicas=0)
    clipper.stop_inactive_model_versions(["sum", "missing"])
    assert clipper.get_all_models() == ["sum:1", "sum:3"]
    assert set(manager.replicas) == {SUM_1, ModelVersion("sum", "3")}


def test_stopping_inactive_versions_spares_those_that_a_policy_names(connected: Connected) -> None:
    clipper, _ = connected
    for version in (1, 2, 3):
        clipper.deploy_model("sum", version, "doubles", "image")
    clipper.register_application(
        "app", "doubles", "none", 100_000, policy={"name": "split", "arms": ["sum:1", "sum"]}
    )
    clipper.stop_inactive_model_versions("sum")
    assert clipper.get_all_models() == ["sum:1", "sum:3"]


def test_replicas_left_over_without_a_registration_can_be_stopped(connected: Connected) -> None:
    clipper, manager = connected
    manager.replicas[SUM_1] = 1
    clipper.stop_models("sum")
    assert manager.replicas == {}


def test_all_models_can_be_stopped(connected: Connected) -> None:
    clipper, manager = connected
    clipper.deploy_model("sum", 1, "doubles", "image")
    clipper.register_model("external", 1, "doubles")
    clipper.stop_all_model_containers()
    assert clipper.get_all_models() == []
    assert manager.replicas == {}

"""The admin library's other calls, against a real management frontend."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers.python import create_endpoint
from clipper_nomad.errors import (
    ClipperException,
    ClipperWarning,
    ManagementError,
    NotReachableError,
    UnconnectedException,
)
from clipper_nomad.testing import RecordingManager
from clipper_nomad.types import BuildSpec, ClusterSpec, ModelVersion
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend
from tests.support.recording_manager import connect

Connected = tuple[ClipperConnection, RecordingManager]
WITHOUT_CLUSTER = {"start_clipper", "connect", "stop_all", "build_model", "test_predict_function"}


@pytest.fixture
def connected(management: ManagementFrontend, redis_server: RedisServer) -> Connected:
    return connect(management, redis_server)


def test_applications_and_their_links(connected: Connected) -> None:
    clipper, _ = connected
    clipper.register_application("app", "d", "-1.0", 100_000, on_default="error")
    clipper.register_application("other", "strings", "", 1)
    clipper.register_model("sum", 1, "doubles")
    clipper.link_model_to_app("app", "sum")

    assert sorted(clipper.get_all_apps()) == ["app", "other"]
    info = clipper.get_app_info("app")
    assert info is not None
    assert (
        info.items()
        >= {
            "name": "app",
            "input_type": "doubles",
            "default_output": "-1.0",
            "latency_slo_micros": 100_000,
            "linked_models": ["sum"],
            "on_default": "error",
        }.items()
    )
    assert info in clipper.get_all_apps(verbose=True)
    assert clipper.get_linked_models("app") == ["sum"]

    clipper.unlink_model_from_app("app", "sum")
    assert clipper.get_linked_models("app") == []
    clipper.unregister_application("app")
    clipper.delete_application("other")
    assert clipper.get_all_apps() == []


def test_several_models_behind_one_application(connected: Connected) -> None:
    clipper, _ = connected
    for name in ("old", "new"):
        clipper.register_model(name, 1, "doubles")
    clipper.register_application("app", "doubles", "0", 1, policy={"name": "split", "loss": "zero_one"})
    clipper.link_model_to_app("app", ["old", "new"], weights=np.array([9, 1]))
    info = clipper.get_app_info("app")
    assert info is not None
    assert (info["policy"], info["linked_models"]) == ("split", ["new", "old"])
    assert info["policy_config"]["arms"] == {"old": 9.0, "new": 1.0}

    state = clipper.get_policy_state("app")
    assert {name: arm["share"] for name, arm in state["arms"].items()} == {"old": 0.9, "new": 0.1}
    assert clipper.get_policy_state("app", 7)["user_id"] == "7"

    clipper.set_policy("app", "exp3")
    assert clipper.get_policy_state("app")["policy"] == "exp3"
    with pytest.raises(ManagementError, match="linked to 2: new, old"):
        clipper.set_policy("app", "default")


def test_a_second_model_without_a_policy_is_refused(connected: Connected) -> None:
    clipper, _ = connected
    clipper.register_application("app", "doubles", "0", 1)
    for name in ("old", "new"):
        clipper.register_model(name, 1, "doubles")
    clipper.link_model_to_app("app", "old")
    with pytest.raises(ManagementError, match="give 'app' a policy for several: split, shadow"):
        clipper.link_model_to_app("app", "new")


def test_a_refusal_says_what_the_management_frontend_said(connected: Connected) -> None:
    clipper, _ = connected
    with pytest.raises(ManagementError, match="No app") as caught:
        clipper.set_policy("app", "split")
    assert not isinstance(caught.value, NotReachableError)


def test_the_same_application_again_is_a_line_in_the_log(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    clipper, _ = connected
    caplog.set_level(logging.INFO, "clipper")
    for _ in range(2):
        clipper.register_application("app", "d", "-1.0", 100_000, on_default="error")
    assert caplog.messages[-2:] == [
        "Application app was successfully registered",
        "Application app is registered already, and nothing differs",
    ]
    assert clipper.get_all_apps() == ["app"]


def test_another_application_of_the_same_name_is_refused_with_each_difference(connected: Connected) -> None:
    clipper, _ = connected
    clipper.register_application("app", "doubles", "-1.0", 100_000)
    with pytest.raises(ClipperException) as caught:
        clipper.register_application("app", "ints", "0", 5, on_default="wait")
    assert caught.value.msg.startswith(
        "Application app is registered already, and input_type differs ('doubles' is registered, not "
        "'integers'), default_output differs ('-1.0' is registered, not '0'), slo_micros differs (100000 is "
        "registered, not 5), on_default differs ('default' is registered, not 'wait'). Unregister it first"
    )
    info = clipper.get_app_info("app")
    assert info is not None
    assert info["default_output"] == "-1.0"


@pytest.mark.parametrize(
    "policy",
    [
        "split",
        {"name": "split"},
        {"name": "split", "arms": ["a", "b"]},
        {"name": "split", "arms": {"b": 1, "a": 1}, "parameters": {"salt": "x"}},
        {"name": "thompson", "loss": "squared", "range": [0, 1]},
        None,
    ],
)
def test_the_same_policy_again_is_no_difference(connected: Connected, policy: Any) -> None:
    clipper, _ = connected
    for _ in range(2):
        clipper.register_application("app", "doubles", "0", 1, policy=policy)


def test_what_links_and_later_calls_have_set_is_no_difference(connected: Connected) -> None:
    clipper, _ = connected
    for name in ("a", "b"):
        clipper.register_model(name, 1, "doubles")
    for _ in range(2):
        clipper.register_application("app", "doubles", "0", 1, policy="split")
        clipper.link_model_to_app("app", ["a", "b"], weights=[1, 3])
    for _ in range(2):
        clipper.register_application("other", "doubles", "0", 1)
        clipper.set_policy("other", "thompson")


@pytest.mark.parametrize(
    ("again", "difference"),
    [
        ("thompson", "the policy's name differs ('split' is registered, not 'thompson')"),
        (
            {"name": "split", "arms": {"a": 2, "b": 1}},
            "the policy's arms differs ({'a': 1.0, 'b': 1.0} is registered, not ",
        ),
        ({"name": "split", "half_life_s": 9}, "the policy's half_life_s differs "),
    ],
)
def test_another_policy_is_a_difference(connected: Connected, again: Any, difference: str) -> None:
    clipper, _ = connected
    clipper.register_application("app", "doubles", "0", 1, policy={"name": "split", "arms": ["a", "b"]})
    with pytest.raises(ClipperException) as caught:
        clipper.register_application("app", "doubles", "0", 1, policy=again)
    assert difference in caught.value.msg


def test_the_same_model_version_again_leaves_the_current_version_as_it_is(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    clipper, _ = connected
    caplog.set_level(logging.INFO, "clipper")
    for _ in range(2):
        clipper.register_model("sum", 1, "doubles", "an-image", ["a"], 4)
        clipper.register_model("sum", 2, "doubles")
    assert caplog.messages[-1] == "Model version sum:2 is registered already, and nothing differs"
    assert clipper.get_current_model_version("sum") == "2"
    with pytest.raises(ClipperException) as caught:
        clipper.register_model("sum", 1, "doubles", "other", ["a", "b"], 4)
    assert caught.value.msg.startswith(
        "Model version sum:1 is registered already, and a version never changes: labels differs (['a'] is "
        "registered, not ['a', 'b']), image differs ("
        "'an-image' is registered, not 'other'). Use another version"
    )


def test_models_registered_without_containers(connected: Connected) -> None:
    clipper, manager = connected
    clipper.register_model("sum", 1, "doubles", "an-image", ["a"], 4)
    clipper.register_model("sum", 2, "doubles")
    assert clipper.get_all_models() == ["sum:1", "sum:2"]
    assert clipper.get_current_model_version("sum") == "2"
    clipper.set_model_version("sum", 1)
    assert clipper.get_current_model_version("sum") == "1"
    listed = {record["model_version"]: record for record in clipper.get_all_models(verbose=True)}
    assert listed["1"]["container_name"] == "an-image"
    assert listed["2"]["container_name"] == "NO_CONTAINER"
    assert listed["1"] == clipper.get_model_info("sum", 1)
    assert manager.replicas == {}


def test_replicas_are_listed(connected: Connected) -> None:
    clipper, manager = connected
    manager.write_container(ModelVersion("sum", "1"), 0)
    record = {
        "model_id": "sum:1",
        "model_name": "sum",
        "model_version": "1",
        "model_replica_id": 0,
        "input_type": "doubles",
        "instance_id": "sum:1-0",
    }
    assert clipper.get_all_model_replicas() == ["sum:1:0"]
    assert clipper.get_all_model_replicas(verbose=True) == [record]
    assert clipper.get_model_replica_info("sum", 1, 0) == record


def test_what_is_unknown_is_none(connected: Connected) -> None:
    clipper, _ = connected
    assert clipper.get_app_info("missing") is None
    assert clipper.get_model_info("missing", 1) is None
    assert clipper.get_model_replica_info("missing", 1, 0) is None
    with pytest.raises(ClipperException, match="missing has no current version"):
        clipper.get_current_model_version("missing")
    with pytest.raises(ClipperException, match="missing has no current version"):
        clipper.get_num_replicas("missing")


def test_building_hands_the_folder_on(connected: Connected, tmp_path: Path) -> None:
    clipper, manager = connected
    image = clipper.build_model("sum", 1, tmp_path, "a-base", "a-registry", ["numpy"])
    assert image == "image of sum:1"
    assert manager.specs == [
        BuildSpec(ModelVersion("sum", "1"), tmp_path, "a-base", "a-registry", ("numpy",))
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model_data_path": "/missing"}, "existing folder"),
        ({"pkgs_to_install": "numpy"}, "pass a list"),
        ({"pkgs_to_install": [""]}, "pip"),
    ],
)
def test_what_cannot_be_built_is_refused(
    connected: Connected, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    clipper, manager = connected
    good = {"model_data_path": tmp_path, "base_image": "default"}
    with pytest.raises(ClipperException, match=message):
        clipper.build_model("sum", 1, **{**good, **arguments})
    assert manager.specs == []


def test_building_and_deploying_in_one_call(connected: Connected, tmp_path: Path) -> None:
    clipper, manager = connected
    clipper.build_and_deploy_model("sum", 1, "doubles", tmp_path, "default", num_replicas=2)
    assert manager.events == ["build sum:1", "deploy sum:1, unregistered"]
    info = clipper.get_model_info("sum", 1)
    assert info is not None
    assert info["container_name"] == "image of sum:1"
    assert clipper.get_num_replicas("sum") == 2


def test_starting_and_stopping_the_cluster(management: ManagementFrontend, redis_server: RedisServer) -> None:
    manager = RecordingManager(management.rest, redis_server.address)
    clipper = ClipperConnection(manager)
    with pytest.warns(ClipperWarning, match="qf_http_thread_pool_size") as caught:
        clipper.start_clipper(cache_size=0, qf_http_thread_pool_size=4, num_frontend_replicas=2)
    assert caught[0].filename == __file__
    assert manager.specs == [ClusterSpec(num_query_frontends=2, prediction_cache_bytes=0)]
    assert clipper.get_all_apps() == []
    clipper.stop_all(graceful=False, keep_state=True)
    with pytest.raises(UnconnectedException):
        clipper.get_all_apps()
    clipper.stop_all()
    assert manager.events == [
        "start_clipper",
        "stop_all graceful=False keep_state=True",
        "connect",
        "stop_all graceful=True keep_state=False",
    ]


def test_addresses_and_logs_are_the_managers(connected: Connected) -> None:
    clipper, _ = connected
    assert clipper.get_query_addr() == "127.0.0.1:1337"
    assert clipper.get_metric_addr() == "127.0.0.1:1390"
    assert clipper.get_clipper_logs() == ["clipper_logs/redis.log"]


def test_every_call_needs_a_cluster(
    management: ManagementFrontend, redis_server: RedisServer, tmp_path: Path
) -> None:
    clipper = ClipperConnection(RecordingManager(management.rest, redis_server.address))
    arguments = {
        "input_type": "doubles",
        "slo_micros": 1,
        "model_data_path": tmp_path,
        "num_replicas": 1,
        "replica_id": 0,
        "model_names": ["m"],
        "model_versions_dict": {"m": [1]},
    }
    for name, _ in inspect.getmembers(ClipperConnection, inspect.isfunction):
        if name.startswith("_") or name in WITHOUT_CLUSTER:
            continue
        method = getattr(clipper, name)
        parameters = inspect.signature(method).parameters.values()
        needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        with pytest.raises(UnconnectedException, match="Not connected"):
            method(**{parameter: arguments.get(parameter, "1") for parameter in needed})


def test_metrics_of_frontends_that_do_not_answer(
    connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    clipper, _ = connected
    with caplog.at_level(logging.WARNING, "clipper"), pytest.raises(NotReachableError, match="any of the 1"):
        clipper.inspect_instance()
    assert "Could not read the metrics of query frontend f1" in caplog.text


def test_an_endpoint_is_made_again_and_gets_new_versions(connected: Connected) -> None:
    clipper, manager = connected
    for version in (1, 1, 2):
        create_endpoint(clipper, "sum", "doubles", len, version=version, slo_micros=50_000)
    assert manager.events == [
        "build sum:1",
        "deploy sum:1, unregistered",
        "build sum:1",
        "build sum:2",
        "deploy sum:2, unregistered",
    ]
    assert clipper.get_linked_models("sum") == ["sum"]
    assert clipper.get_current_model_version("sum") == "2"


def test_an_endpoint_over_another_application_is_refused_before_anything_is_built(
    connected: Connected,
) -> None:
    clipper, manager = connected
    clipper.register_application("sum", "doubles", "None", 3_000_000)
    with pytest.raises(ClipperException, match=r"slo_micros differs \(3000000 is registered, not 5\)"):
        create_endpoint(clipper, "sum", "doubles", len, slo_micros=5)
    assert manager.events == []

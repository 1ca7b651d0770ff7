"""Every admin call over HTTP: its answer, and each of its refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.functional.compatibility.letter_management_client import LetterManagementClient, Reply
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend

APP = {"name": "a", "input_type": "doubles", "default_output": "-1.0", "latency_slo_micros": 100_000}
MODEL = {
    "model_name": "m",
    "model_version": "1",
    "labels": ["x", "y"],
    "input_type": "doubles",
    "container_name": "image:1",
    "model_data_path": "/data",
    "batch_size": -1,
}


@pytest.fixture
def client(management: ManagementFrontend) -> LetterManagementClient:
    return LetterManagementClient(management.rest)


def assert_text(reply: Reply, status: int, text: str) -> None:
    assert (reply.status, reply.text) == (status, text)
    assert reply.headers["content-type"].startswith("text/plain")


def assert_json(reply: Reply, value: Any) -> None:
    assert (reply.status, reply.json) == (200, value)
    assert reply.headers["content-type"].startswith("application/json")


# -- applications ----------------------------------------------------------------------------------


def test_add_app(client: LetterManagementClient) -> None:
    assert_text(client.call("add_app", **APP), 200, "Successfully added application with name 'a'")
    assert_text(client.call("add_app", **APP), 400, "application 'a' already exists")
    expected = {
        **APP,
        "linked_models": [],
        "on_default": "default",
        "policy": "DefaultOutputSelectionPolicy",
        "policy_config": {"name": "default", "loss": "zero_one", "half_life_s": 3600.0, "user_rounds": 100.0},
        "cors_origins": [],
    }
    assert_json(client.call("get_application", name="a"), expected)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [("b", "bytes"), ("Ints", "integers"), ("FLOAT", "floats"), ("d", "doubles"), ("strs", "strings")],
)
def test_short_forms_of_input_types(client: LetterManagementClient, written: str, canonical: str) -> None:
    assert client.add_app("a", written).status == 200
    assert client.add_model("m", input_type=written).status == 200
    assert client.call("get_application", name="a").json["input_type"] == canonical
    assert client.call("get_model", model_name="m", model_version="1").json["input_type"] == canonical


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"input_type": "sounds"}, "unknown input type 'sounds': use one of bytes, integers,"),
        ({"on_default": "maybe"}, "unknown on_default 'maybe': use one of default, error, wait"),
        ({"policy": "Exp3"}, "unknown policy 'Exp3': use one of default, split,"),
        ({"policy": 3}, "Expected `str | object | null`, got `int` - at `$.policy`"),
        ({"latency_slo_micros": 0}, "`int` >= 1 - at `$.latency_slo_micros`"),
        ({"latency_slo_micros": 86_400_000_001}, "`int` <= 86400000000"),
        ({"latency_slo_micros": 1.5}, "Expected `int`, got `float` - at `$.latency_slo_micros`"),
        ({"latency_slo_micros": "1"}, "Expected `int`, got `str`"),
        ({"default_output": 1}, "Expected `str`, got `int` - at `$.default_output`"),
        ({"name": ""}, "it must not be empty"),
        ({"name": "a:b"}, "must not contain ':' or ','"),
        ({"name": "a,b"}, "must not contain ':' or ','"),
        ({"name": "a/b"}, "must not contain '/'"),
        ({"name": "a\u0000b"}, "must not contain control characters"),
        ({"name": "metrics"}, "the names admin, health, metrics are reserved"),
        ({"name": "x" * 256}, "at most 255 bytes"),
    ],
)
def test_add_app_refusals(client: LetterManagementClient, changed: dict[str, Any], reason: str) -> None:
    reply = client.call("add_app", **{**APP, **changed})
    assert reply.status == 400
    assert reason in reply.text
    assert_json(client.call("get_all_applications", verbose=False), [])


@pytest.mark.parametrize("on_default", ["default", "error", "wait"])
def test_add_app_takes_on_default_and_policy(client: LetterManagementClient, on_default: str) -> None:
    body = {**APP, "on_default": on_default, "policy": "DefaultOutputSelectionPolicy"}
    assert client.call("add_app", **body).status == 200
    assert client.call("get_application", name="a").json["on_default"] == on_default


def test_delete_app(client: LetterManagementClient) -> None:
    client.add_app("a")
    assert_text(client.call("delete_app", name="a"), 200, "Successfully deleted application with name 'a'")
    assert_text(client.call("delete_app", name="a"), 400, "Application 'a' does not exist")
    assert_json(client.call("get_application", name="a"), {})


def test_get_all_applications(client: LetterManagementClient) -> None:
    for name in ("b", "a"):
        client.add_app(name)
    client.add_model("m")
    client.link("b", "m")
    assert_json(client.call("get_all_applications", verbose=False), ["a", "b"])
    assert_json(client.call("get_all_applications"), ["a", "b"])
    listed = client.call("get_all_applications", verbose=True)
    assert_json(listed, [client.call("get_application", name=name).json for name in ("a", "b")])
    assert [application["linked_models"] for application in listed.json] == [[], ["m"]]


def test_get_state(client: LetterManagementClient) -> None:
    client.add_app("a", default_output='{"nothing": "Ü"}')
    assert_text(client.call("get_state", app_name="a", uid=7), 200, '{"nothing": "Ü"}')
    assert_text(client.call("get_state", app_name="b", uid=7), 400, "No app with name 'b' exists.")


# -- links -----------------------------------------------------------------------------------------


def test_links(client: LetterManagementClient) -> None:
    client.add_app("a")
    client.add_model("m")
    success = "Successfully linked model with name 'm' to application 'a'"
    assert_text(client.link("a", "m"), 200, success)
    assert_text(client.link("a", "m"), 200, success)
    assert_json(client.call("get_linked_models", app_name="a"), ["m"])
    unlink = {"app_name": "a", "model_names": ["m"]}
    unlinked = "Successfully unlinked model with name 'm' from application 'a'"
    assert_text(client.call("delete_model_links", **unlink), 200, unlinked)
    assert_json(client.call("get_linked_models", app_name="a"), [])
    refusal = "Cannot remove nonexistent link between app 'a' and model 'm'"
    assert_text(client.call("delete_model_links", **unlink), 400, refusal)


@pytest.mark.parametrize(
    ("app", "models", "reason"),
    [
        ("b", ["m"], "No app with name 'b' exists."),
        ("a", ["x"], "No model with name 'x' exists."),
        ("a", ["ints"], "Model with name 'ints' has incompatible input_type 'integers'."),
        ("a", [], "Attempted to add links to 0 models."),
        ("a", ["m", "n"], "Applications must be linked with at most one model. Attempted to add links to 2"),
        ("linked", ["n"], "A model with name 'm' is already linked to 'linked'."),
    ],
)
def test_link_refusals(client: LetterManagementClient, app: str, models: list[str], reason: str) -> None:
    for name in ("a", "linked"):
        client.add_app(name)
    for name in ("m", "n"):
        client.add_model(name)
    client.add_model("ints", input_type="ints")
    client.link("linked", "m")
    reply = client.link(app, *models)
    assert reply.status == 400
    assert reason in reply.text


# -- models ----------------------------------------------------------------------------------------


def test_add_model(client: LetterManagementClient) -> None:
    success = "Successfully added model with name 'm' and input type 'doubles'"
    assert_text(client.call("add_model", **MODEL), 200, success)
    refusal = "model with name 'm' and version '1' already exists"
    assert_text(client.call("add_model", **MODEL), 400, refusal)
    added = {"output_type": "json", "cache_ttl_s": None, "deployed_as": ""}
    expected = {**MODEL, **added, "is_current_version": True}
    assert_json(client.call("get_model", model_name="m", model_version="1"), expected)
    assert_json(client.call("get_model", model_name="m", model_version="2"), {})


@pytest.mark.parametrize("labels", [[], [""]])
def test_no_labels_read_as_one_empty_label(client: LetterManagementClient, labels: list[str]) -> None:
    client.add_model("m", labels=labels)
    assert client.call("get_model", model_name="m", model_version="1").json["labels"] == [""]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"input_type": "sounds"}, "unknown input type 'sounds'"),
        ({"batch_size": 0}, "The batch size must be positive, or -1 to be learnt"),
        ({"batch_size": -2}, "`int` >= -1 - at `$.batch_size`"),
        ({"batch_size": 2**31}, "`$.batch_size`"),
        ({"batch_size": True}, "Expected `int`, got `bool`"),
        ({"labels": ["a,b"]}, "Invalid label 'a,b'"),
        ({"labels": "x"}, "Expected `array`, got `str` - at `$.labels`"),
        ({"labels": [1]}, "Expected `str`, got `int` - at `$.labels[0]`"),
        ({"output_type": "text"}, "unknown output type 'text': use one of json, string"),
        ({"cache_ttl_s": -1}, "`$.cache_ttl_s`"),
        ({"cache_ttl_s": "1"}, "`$.cache_ttl_s`"),
        ({"model_name": "m:1"}, "Invalid model name 'm:1'"),
        ({"model_version": "1,2"}, "Invalid model version '1,2'"),
        ({"model_version": 1}, "Expected `str`, got `int` - at `$.model_version`"),
    ],
)
def test_add_model_refusals(client: LetterManagementClient, changed: dict[str, Any], reason: str) -> None:
    reply = client.call("add_model", **{**MODEL, **changed})
    assert reply.status == 400
    assert reason in reply.text
    assert_json(client.call("get_all_models", verbose=False), [])


def test_a_model_version_keeps_its_options(client: LetterManagementClient) -> None:
    options = {"output_type": "string", "cache_ttl_s": 1.5, "deployed_as": "abc"}
    assert client.call("add_model", **MODEL, **options).status == 200
    found = client.call("get_model", model_name="m", model_version="1").json
    assert found == {**MODEL, **options, "is_current_version": True}


def test_purge_cache(client: LetterManagementClient) -> None:
    client.add_model("m")
    version = {"model_name": "m", "model_version": "1"}
    success = "Successfully purged the cached outputs of model with name 'm' and version '1'"
    assert_text(client.call("purge_cache", **version), 200, success)
    refusal = "Model with name 'm' and version '2' does not exist"
    for replica in ({}, {"instance_id": "a"}):
        assert_text(client.call("purge_cache", **{**version, "model_version": "2"}, **replica), 400, refusal)


def test_purge_cache_of_one_replica(client: LetterManagementClient) -> None:
    client.add_model("m")
    version = {"model_name": "m", "model_version": "1"}
    success = "Successfully purged the cached outputs of replica 'a b' of model with name 'm' and version '1'"
    for _ in range(2):
        assert_text(client.call("purge_cache", **version, instance_id="a b"), 200, success)
    for wrong in ("", "a\nb", "a" * 256):
        assert client.call("purge_cache", **version, instance_id=wrong).status == 400


def test_a_new_version_must_keep_the_input_type_of_linked_applications(
    client: LetterManagementClient,
) -> None:
    client.add_app("a")
    client.add_model("m")
    client.link("a", "m")
    reply = client.add_model("m", "2", "strings")
    assert reply.status == 400
    assert "is already linked to app 'a' using input type 'doubles'" in reply.text
    assert_json(client.call("get_all_models"), ["m:1"])


def test_set_model_version(client: LetterManagementClient) -> None:
    client.add_model("m", "1")
    client.add_model("m", "2")
    success = "Successfully set model with name 'm' to version '1'"
    assert_text(client.call("set_model_version", model_name="m", model_version="1"), 200, success)
    listed = client.call("get_all_models", verbose=True).json
    assert [(model["model_version"], model["is_current_version"]) for model in listed] == [
        ("1", True),
        ("2", False),
    ]
    reply = client.call("set_model_version", model_name="m", model_version="3")
    assert reply.status == 400
    assert "Cannot set non-existent version '3' for model 'm'" in reply.text


def test_get_all_models(client: LetterManagementClient) -> None:
    client.add_model("m", "2")
    client.add_model("m", "1")
    assert_json(client.call("get_all_models", verbose=False), ["m:1", "m:2"])
    expected = [client.call("get_model", model_name="m", model_version=version).json for version in "12"]
    assert_json(client.call("get_all_models", verbose=True), expected)


def test_delete_versioned_model(client: LetterManagementClient) -> None:
    client.add_model("m")
    version = {"model_name": "m", "model_version": "1"}
    success = "Successfully deleted model with name 'm' and version '1'"
    assert_text(client.call("delete_versioned_model", **version), 200, success)
    refusal = "Model with name 'm' and version '1' does not exist"
    assert_text(client.call("delete_versioned_model", **version), 400, refusal)
    assert_json(client.call("get_all_models"), [])
    assert client.add_model("m").status == 200


def test_deleting_the_current_version_names_those_that_are_left(client: LetterManagementClient) -> None:
    for version in ("1", "10", "2"):
        client.add_model("m", version)
    client.add_model("m2", "1")
    success = "Successfully deleted model with name 'm' and version '{}'"
    reply = client.call("delete_versioned_model", model_name="m", model_version="10")
    assert_text(reply, 200, success.format("10"))
    reply = client.call("delete_versioned_model", model_name="m", model_version="2")
    assert_text(
        reply,
        200,
        f"{success.format('2')}. It was the current version, and model 'm' has none now: choose one of 1 "
        "with set_model_version",
    )
    reply = client.call("delete_versioned_model", model_name="m", model_version="1")
    assert_text(reply, 200, success.format("1"))


def test_get_model_versions(client: LetterManagementClient) -> None:
    client.add_model("m", "1")
    client.add_model("m", "2")
    expected = {"model_name": "m", "current_version": "2", "serving_version": "1", "versions": ["1", "2"]}
    assert_json(client.call("get_model_versions", model_name="m"), expected)
    assert_json(client.call("get_model_versions", model_name="n"), {})


# -- replicas and query frontends ------------------------------------------------------------------


def test_containers(client: LetterManagementClient, redis_server: RedisServer) -> None:
    with redis_server.client(3) as redis:
        for replica_id in (0, 1):
            values = {
                "model_id": "m:1",
                "model_name": "m",
                "model_version": "1",
                "model_replica_id": replica_id,
                "zmq_connection_id": 3,
                "batch_size": -1,
                "input_type": "doubles",
                "instance_id": "i",
            }
            redis.hset(f"m,1,{replica_id}", mapping=values)
    expected = [
        {
            "model_id": "m:1",
            "model_name": "m",
            "model_version": "1",
            "model_replica_id": replica_id,
            "input_type": "doubles",
            "instance_id": "i",
        }
        for replica_id in (0, 1)
    ]
    assert_json(client.call("get_all_containers", verbose=False), ["m:1:0", "m:1:1"])
    assert_json(client.call("get_all_containers", verbose=True), expected)
    wanted = {"model_name": "m", "model_version": "1"}
    assert_json(client.call("get_container", **wanted, replica_id=1), expected[1])
    assert_json(client.call("get_container", **wanted, replica_id=2), {})
    assert client.call("get_container", **wanted, replica_id="1").status == 400
    assert client.call("get_container", **wanted, replica_id=-1).status == 400


def test_get_all_query_frontends(client: LetterManagementClient, redis_server: RedisServer) -> None:
    with redis_server.client(4) as redis:
        values = {"id": "f", "rpc_address": "h:7000", "admin_address": "h:1390", "version": "0.1.0"}
        redis.hset("QUERY_FRONTEND:f", mapping={**values, "ready:m:1": "4"})
    ready = [{"model_name": "m", "model_version": "1", "rpc_version": 4}]
    assert_json(client.call("get_all_query_frontends", verbose=False), ["f"])
    assert_json(client.call("get_all_query_frontends", verbose=True), [{**values, "ready": ready}])


# -- everything else -------------------------------------------------------------------------------


def test_ping(client: LetterManagementClient) -> None:
    assert_text(client.get("/admin/ping"), 200, "PONG")


def test_health(client: LetterManagementClient) -> None:
    assert_text(client.get("/health/live"), 200, "ok")
    assert_text(client.get("/health/ready"), 200, "ok")


@pytest.mark.parametrize("path", ["/metrics", "/admin/metrics"])
def test_metrics_count_calls_by_path_and_status(client: LetterManagementClient, path: str) -> None:
    def count(status: int) -> float:
        line = f'clipper_management_requests_total{{path="/admin/delete_app",status="{status}"}} '
        found = [text for text in client.get(path).text.splitlines() if text.startswith(line)]
        return float(found[0].removeprefix(line)) if found else 0.0

    before = count(400)
    client.call("delete_app", name="nobody")
    assert count(400) == before + 1
    reply = client.get(path)
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert (
        'clipper_management_request_duration_seconds_bucket{le="0.01",path="/admin/delete_app"}' in reply.text
    )


def test_unknown_paths_are_404(client: LetterManagementClient) -> None:
    for path in ("/", "/admin", "/admin/unknown", "/admin/add_app/"):
        reply = client.request("POST", path, b"{}")
        assert reply.status == 404
        assert f"There is no {path}" in reply.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/admin/add_app", "POST"), ("POST", "/admin/ping", "GET"), ("DELETE", "/metrics", "GET, HEAD")],
)
def test_wrong_methods_are_405(client: LetterManagementClient, method: str, path: str, allowed: str) -> None:
    reply = client.request(method, path)
    assert_text(reply, 405, f"{path} does not take {method}: use {allowed}")
    assert reply.headers["allow"] == allowed


# -- the document of all calls ---------------------------------------------------------------------


def test_the_openapi_document_is_served(management: ManagementFrontend) -> None:
    reply = requests.get(f"http://{management.rest}/admin/openapi.json", timeout=10)
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("application/json")
    document = reply.json()
    assert document["openapi"].startswith("3.1")
    assert {"/{application}/predict", "/admin/add_app", "/admin/openapi.json"} <= document["paths"].keys()


# -- web pages -----------------------------------------------------------------------------------------


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example", "Content-Type": "text/plain"}, 403),
        ({"Origin": "null", "Content-Type": "application/json"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Content-Type": "text/plain"}, 415),
        ({"Host": "rebound.evil.example:1338"}, 421),
    ],
)
def test_a_web_page_deletes_no_application(
    client: LetterManagementClient, headers: dict[str, str], status: int
) -> None:
    client.call("add_app", **APP)
    assert client.post("delete_app", body(name="a"), **headers).status == status
    assert_json(client.call("get_all_applications"), ["a"])


def test_a_program_may_send_json_under_any_type_and_by_any_own_name(client: LetterManagementClient) -> None:
    for headers in ({"Content-Type": "application/x-www-form-urlencoded"}, {"Host": "x.service.consul"}):
        client.call("add_app", **APP)
        assert client.post("delete_app", body(name="a"), **headers).status == 200


def test_health_and_metrics_answer_under_any_name(client: LetterManagementClient) -> None:
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert client.request("GET", path, headers={"Host": "probe.example"}).status == 200
    assert client.request("GET", "/admin/metrics", headers={"Host": "probe.example"}).status == 421

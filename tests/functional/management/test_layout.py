"""The layout in Redis after admin calls, as other tools read it: keys, fields and values, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.compatibility.letter_management_client import LetterManagementClient
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend


@pytest.fixture
def client(management: ManagementFrontend) -> LetterManagementClient:
    return LetterManagementClient(management.rest)


def contents(server: RedisServer, database: int) -> dict[str, Any]:
    """Return all keys of a database with their values, read by its type, without the registry's epoch."""
    with server.client(database) as redis:
        readers = {"hash": redis.hgetall, "set": redis.smembers, "string": redis.get}
        return {key: readers[redis.type(key)](key) for key in redis.scan_iter() if key != "REGISTRY_EPOCHS"}


def test_an_application_and_its_link(client: LetterManagementClient, redis_server: RedisServer) -> None:
    client.add_app("digits", "d", default_output='a "b"')
    client.add_model("m")
    client.link("digits", "m")
    assert contents(redis_server, 5) == {
        "digits": {
            "input_type": "doubles",
            "policy": "DefaultOutputSelectionPolicy",
            "default_output": 'a "b"',
            "latency_slo_micros": "100000",
            "on_default": "default",
            "policy_config": "",
            "most_links": "1",
        }
    }
    assert contents(redis_server, 7) == {"digits": {"m"}}
    assert contents(redis_server, 1) == {"digits:0:0": '{"y_hat":"a \\"b\\""}'}


def test_a_model_version(client: LetterManagementClient, redis_server: RedisServer) -> None:
    client.add_model("m", "1", "strs", labels=["x", "y"], batch_size=7)
    client.add_model("m", "2", "strs")
    models = contents(redis_server, 2)
    assert set(models) == {"m:1", "m:2"}
    assert len(models["m:1"].pop("registration_id")) == 32
    assert models["m:1"] == {
        "model_name": "m",
        "model_version": "1",
        "load": "0.0",
        "input_type": "strings",
        "labels": "x,y",
        "container_name": "image:1",
        "model_data_path": "/data",
        "batch_size": "7",
        "valid": "true",
        "output_type": "json",
        "cache_ttl_s": "inf",
        "cache_epoch": "0",
        "deployed_as": "",
    }
    assert models["m:2"]["labels"] == ""
    assert models["m:2"]["batch_size"] == "-1"
    assert contents(redis_server, 6) == {"CURRENT_MODEL_VERSION:m": "2", "SERVING_MODEL_VERSION:m": "1"}


def test_what_is_deleted_leaves_nothing(client: LetterManagementClient, redis_server: RedisServer) -> None:
    client.add_app("a")
    client.add_model("m")
    client.link("a", "m")
    client.call("delete_model_links", app_name="a", model_names=["m"])
    assert contents(redis_server, 7) == {}
    client.call("delete_app", name="a")
    client.call("delete_versioned_model", model_name="m", model_version="1")
    for database in (1, 2, 5, 6, 7):
        assert contents(redis_server, database) == {}


def test_what_clipper_wrote_is_read(client: LetterManagementClient, redis_server: RedisServer) -> None:
    with redis_server.client(5) as redis:
        values = {"input_type": "doubles", "policy": "DefaultOutputSelectionPolicy", "default_output": "0"}
        redis.hset("old", mapping={**values, "latency_slo_micros": "20000"})
    with redis_server.client(7) as redis:
        redis.sadd("old", "m")
    application = client.call("get_application", name="old").json
    assert application["latency_slo_micros"] == 20000
    assert application["linked_models"] == ["m"]
    assert application["on_default"] == "default"


def test_the_cluster_marks_its_redis(make_redis_server: Any) -> None:
    server = make_redis_server()
    with ManagementFrontend(server.address, cluster_name="mine") as frontend:
        frontend.wait_until_listening()
        assert LetterManagementClient(frontend.rest).call("get_all_models").status == 200
        assert contents(server, 6) == {"CLUSTER_NAME": "mine"}
        with server.client(6) as redis:
            assert redis.scard("REGISTRY_EPOCHS") == 1

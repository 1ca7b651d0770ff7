"""The admin calls about selection policies: setting them, linking under them, and their state."""

from __future__ import annotations

import time
from typing import Any

import pytest

from clipper_frontend.registry.selection import Addition, StateKey
from clipper_frontend.registry.store import Store
from tests.functional.compatibility.letter_management_client import LetterManagementClient
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend

APP = {"name": "a", "input_type": "doubles", "default_output": "-1.0", "latency_slo_micros": 100_000}


@pytest.fixture
def client(management: ManagementFrontend) -> LetterManagementClient:
    made = LetterManagementClient(management.rest)
    for name in ("m", "n"):
        made.add_model(name)
    return made


def add(client: LetterManagementClient, policy: Any, *models: str) -> None:
    reply = client.call("add_app", **APP, policy=policy)
    assert reply.status == 200, reply.text
    if models:
        assert client.link("a", *models).status == 200


async def learn(store: Store, state_name: str, increments: dict[str, int], user: str = "") -> None:
    """Write the counters of some feedback into the current bucket."""
    key, bucket = StateKey("a", state_name, user), int(time.time()) // 900 * 900
    assert await store.add_increments(f"token-{user}", [Addition(key, bucket, None, increments)], 10)


# -- setting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["default", "DefaultOutputSelectionPolicy"])
def test_the_default_policy_has_clippers_name(client: LetterManagementClient, name: str) -> None:
    add(client, name)
    assert client.call("get_application", name="a").json["policy"] == "DefaultOutputSelectionPolicy"


def test_set_policy(client: LetterManagementClient) -> None:
    add(client, None, "m")
    policy = {"name": "split", "arms": {"m": 9, "n": 1}, "parameters": {"salt": "spring"}}
    reply = client.call("set_policy", app_name="a", policy=policy)
    assert (reply.status, reply.text) == (200, "Successfully set policy of application 'a' to 'split'")
    found = client.call("get_application", name="a").json
    assert found["policy"] == "split"
    assert found["policy_config"]["arms"] == {"m": 9.0, "n": 1.0}
    assert found["policy_config"]["parameters"] == {"salt": "spring"}
    assert client.call("set_policy", app_name="a", policy="exp3").status == 200
    assert client.call("get_application", name="a").json["policy_config"]["name"] == "exp3"


@pytest.mark.parametrize(
    ("app", "policy", "reason"),
    [
        ("b", "exp3", "No app with name 'b' exists."),
        ("a", "best", "unknown policy 'best': use one of default, split, shadow"),
        ("a", {"name": "exp3", "loss": "squared"}, "the loss squared needs a range"),
        ("a", {"name": "exp3", "depth": 3}, "Object contains unknown field `depth`"),
        ("a", None, "Expected `str | object`, got `null` - at `$.policy`"),
        ("a", "default", "'a' is linked to 2: m, n."),
    ],
)
def test_policies_that_are_refused(
    client: LetterManagementClient, app: str, policy: Any, reason: str
) -> None:
    add(client, "thompson", "m", "n")
    reply = client.call("set_policy", app_name=app, policy=policy)
    assert reply.status == 400
    assert reason in reply.text
    assert client.call("get_application", name="a").json["policy"] == "thompson"


def test_a_policy_that_this_frontend_does_not_have_is_shown(
    client: LetterManagementClient, redis_server: RedisServer
) -> None:
    add(client, None)
    with redis_server.client(5) as redis:
        redis.hset("a", mapping={"policy": "theirs", "policy_config": '{"name": "theirs"}'})
    assert client.call("get_application", name="a").json["policy_config"] == '{"name": "theirs"}'
    for call in ("get_policy_state", "get_state"):
        reply = client.call(call, app_name="a", uid=0)
        assert reply.status == 400
        assert "unknown policy 'theirs'" in reply.text


# -- linking ---------------------------------------------------------------------------------------


def test_several_models_with_weights(client: LetterManagementClient) -> None:
    add(client, "split")
    reply = client.call("add_model_links", app_name="a", model_names=["m", "n"], weights=[3, 1.5])
    assert reply.text == "Successfully linked model with name 'm', 'n' to application 'a'"
    found = client.call("get_application", name="a").json
    assert found["linked_models"] == ["m", "n"]
    assert found["policy_config"]["arms"] == {"m": 3.0, "n": 1.5}


def test_a_second_model_names_the_policies_for_several(client: LetterManagementClient) -> None:
    add(client, None, "m")
    reply = client.link("a", "n")
    assert reply.status == 400
    assert "or give 'a' a policy for several: split, shadow, epsilon_greedy, exp3, thompson" in reply.text


# -- state ------------------------------------------------------------------------------------------


async def test_the_state_of_all_and_of_one_user(client: LetterManagementClient, store: Store) -> None:
    add(client, {"name": "epsilon_greedy", "half_life_s": None, "user_rounds": 10}, "m", "n")
    await learn(store, "zero_one", {"rounds": 40, "count:m": 40, "loss:m": 30_000_000})
    await learn(store, "zero_one", {"rounds": 2, "count:n": 2, "loss:n": 1_000_000}, "7")

    found = client.call("get_policy_state", app_name="a").json
    assert found["application"] == "a"
    assert (found["policy"], found["loss"], found["feedback"]) == ("epsilon_greedy", "zero_one", 40.0)
    assert found["arms"]["m"]["mean_loss"] == 0.75
    assert found["arms"]["n"]["mean_loss"] is None
    assert sum(arm["share"] for arm in found["arms"].values()) == pytest.approx(1.0)

    own = client.call("get_policy_state", app_name="a", user_id="7").json
    assert (own["user_id"], own["own_feedback"], own["feedback"]) == ("7", 2.0, 12.0)
    assert own["arms"]["n"] == {**own["arms"]["n"], "feedback": 2.0, "mean_loss": 0.5}
    assert own == client.call("get_policy_state", app_name="a", user_id=7).json
    assert own == client.call("get_state", app_name="a", uid=7).json
    stranger = client.call("get_policy_state", app_name="a", user_id="8").json
    assert (stranger["own_feedback"], stranger["feedback"]) == (0.0, 10.0)


async def test_old_feedback_counts_less(client: LetterManagementClient, store: Store) -> None:
    add(client, {"name": "exp3", "half_life_s": 60}, "m", "n")
    key, minute_ago = StateKey("a", "zero_one"), int(time.time()) - 60
    await store.add_increments("old", [Addition(key, minute_ago, None, {"rounds": 8})], 10)
    assert client.call("get_policy_state", app_name="a").json["feedback"] == pytest.approx(4.0, rel=0.1)


def test_the_state_of_a_policy_that_cannot_work_says_why(client: LetterManagementClient) -> None:
    add(client, {"name": "split", "arms": ["m", "later"]}, "m")
    for call in ("get_policy_state", "get_state"):
        reply = client.call(call, app_name="a", uid=0)
        assert reply.status == 400
        assert "names models that are not linked to it: later" in reply.text


@pytest.mark.parametrize("user", [1.5, ["7"], True])
def test_users_that_are_none(client: LetterManagementClient, user: Any) -> None:
    add(client, None, "m")
    reply = client.call("get_policy_state", app_name="a", user_id=user)
    assert reply.status == 400
    assert "at `$.user_id`" in reply.text


def test_the_state_of_no_application(client: LetterManagementClient) -> None:
    for call in ("get_policy_state", "get_state"):
        reply = client.call(call, app_name="b", uid=0)
        assert (reply.status, reply.text) == (400, "No app with name 'b' exists.")

"""Policies in the registry: their form, and their fit with links."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clipper_container.input_types import InputType
from clipper_frontend.errors import PolicyRefusal, RegistryRefusal
from clipper_frontend.registry.policies import policy_name, policy_text
from clipper_frontend.registry.records import ApplicationRecord, ModelRecord
from clipper_frontend.registry.store import Store
from clipper_frontend.selection.config import PolicyConfig
from tests.support.frontends.redis_server import RedisServer

SPLIT = PolicyConfig.parse({"name": "split", "arms": {"m:1": 9.0, "m:2": 1.0}})


def application(name: str, policy: Any = None) -> ApplicationRecord:
    config = PolicyConfig.parse(policy)
    written = policy_name(config), policy_text(config)
    return ApplicationRecord(name, InputType.DOUBLES, written[0], "0", 1000, policy_config=written[1])


async def arms(store: Store, name: str) -> dict[str, float]:
    found = await store.get_application(name)
    assert found is not None
    return {arm.name: arm.weight for arm in found.record.config.arms}


@pytest.fixture(autouse=True)
async def models(store: Store) -> None:
    for name in ("m", "n", "o"):
        await store.add_model(ModelRecord(name, "1", InputType.DOUBLES))


async def test_the_default_policy_is_written_as_clipper_writes_it(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_application(application("a", "default"))
    with redis_server.client(5) as client:
        written = client.hgetall("a")
    assert written["policy"] == "DefaultOutputSelectionPolicy"
    assert (written["policy_config"], written["most_links"]) == ("", "1")


async def test_a_policy_is_read_as_it_was_set(store: Store, redis_server: RedisServer) -> None:
    await store.add_application(application("a"))
    await store.set_policy("a", SPLIT)
    found = await store.get_application("a")
    assert found is not None
    assert found.record.config == SPLIT
    with redis_server.client(5) as client:
        assert client.hmget("a", "policy", "most_links") == ["split", "0"]


async def test_a_policy_that_this_frontend_does_not_have_is_kept_and_said(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_application(application("a"))
    with redis_server.client(5) as client:
        client.hset("a", mapping={"policy": "theirs", "policy_config": '{"name": "theirs"}'})
    found = await store.get_application("a")
    assert found is not None
    with pytest.raises(PolicyRefusal, match="unknown policy 'theirs': use one of default, split"):
        found.record.config  # noqa: B018


async def test_several_models_need_a_policy_for_several(store: Store) -> None:
    await store.add_application(application("a"))
    with pytest.raises(RegistryRefusal, match=r"one of these policies first: split, shadow, .*exp4"):
        await store.add_model_links("a", ["m", "n"])
    await store.add_model_links("a", ["m"])
    with pytest.raises(RegistryRefusal, match=r"give 'a' a policy for several: split, shadow, .*exp4"):
        await store.add_model_links("a", ["n"])
    await store.set_policy("a", PolicyConfig.parse("exp3"))
    await store.add_model_links("a", ["m", "n", "o"])
    assert await store.get_linked_models("a") == ("m", "n", "o")


async def test_an_application_of_an_older_version_takes_one_model(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_application(application("a"))
    with redis_server.client(5) as client:
        client.hdel("a", "most_links", "policy_config")
    await store.add_model_links("a", ["m"])
    with pytest.raises(RegistryRefusal, match="'m' is already linked"):
        await store.add_model_links("a", ["n"])


async def test_back_to_one_model_needs_one_link(store: Store) -> None:
    await store.add_application(application("a", "thompson"))
    await store.add_model_links("a", ["n", "m"])
    with pytest.raises(RegistryRefusal, match=r"'a' is linked to 2: m, n\. Delete links until one is left"):
        await store.set_policy("a", PolicyConfig.parse(None))
    await store.delete_model_links("a", ["n"])
    await store.set_policy("a", PolicyConfig.parse(None))
    found = await store.get_application("a")
    assert found is not None
    assert found.record == application("a")


async def test_the_policy_of_no_application_is_not_set(store: Store) -> None:
    with pytest.raises(RegistryRefusal, match="No app with name 'a' exists"):
        await store.set_policy("a", SPLIT)
    assert await store.get_applications() == []


async def test_arms_may_be_named_before_they_are_linked(store: Store) -> None:
    await store.add_application(application("a", {"name": "split", "arms": {"later": 1, "m": 3}}))
    assert await arms(store, "a") == {"later": 1.0, "m": 3.0}


async def test_links_with_weights_become_arms(store: Store) -> None:
    await store.add_application(application("a", "split"))
    await store.add_model_links("a", ["m"])
    await store.add_model_links("a", ["n"], [3.0])
    assert await arms(store, "a") == {"m": 1.0, "n": 3.0}
    await store.add_model_links("a", ["o", "n"], [2.0, 0.5])
    assert await arms(store, "a") == {"m": 1.0, "n": 0.5, "o": 2.0}
    assert await store.get_linked_models("a") == ("m", "n", "o")


@pytest.mark.parametrize(
    ("policy", "names", "weights", "reason"),
    [
        ("split", ["m", "n"], [1.0], "one weight for each model, not 1 for 2"),
        ("split", ["m"], [-1.0], "the weight of m is -1"),
        ("split", ["m", "unknown"], [1.0, 1.0], "No model with name 'unknown' exists"),
        ("exp3", ["m", "n"], [1.0, 2.0], "the policy exp3 takes no weights: these do: split"),
        ("default", ["m", "n"], [1.0, 1.0], "the policy default answers with one model"),
    ],
)
async def test_weights_that_are_refused_link_nothing(
    store: Store, policy: str, names: list[str], weights: list[float], reason: str
) -> None:
    await store.add_application(application("a", policy))
    with pytest.raises((RegistryRefusal, PolicyRefusal), match=reason):
        await store.add_model_links("a", names, weights)
    assert await store.get_linked_models("a") == ()
    assert await arms(store, "a") == {}


async def test_of_parallel_weights_none_is_lost(store: Store) -> None:
    await store.add_application(application("a", "split"))
    calls = [store.add_model_links("a", [name], [2.0]) for name in ("m", "n", "o")]
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [str(result) for result in results if isinstance(result, RegistryRefusal)]
    assert all("was changed at the same time: nothing is done, try again" in text for text in refused)
    assert len(await arms(store, "a")) == len(await store.get_linked_models("a")) == 3 - len(refused)


async def test_unlinking_takes_the_models_arms_away(store: Store) -> None:
    policy = {"name": "split", "arms": {"m:1": 9, "m:2": 1, "n": 5}}
    await store.add_application(application("a", policy))
    await store.add_model_links("a", ["m", "n", "o"])
    await store.delete_model_links("a", ["o"])
    assert await arms(store, "a") == {"m:1": 9.0, "m:2": 1.0, "n": 5.0}
    with pytest.raises(RegistryRefusal, match="nonexistent link"):
        await store.delete_model_links("a", ["m", "o"])
    assert await arms(store, "a") == {"m:1": 9.0, "m:2": 1.0, "n": 5.0}
    await store.delete_model_links("a", ["m"])
    assert await arms(store, "a") == {"n": 5.0}
    await store.delete_model_links("a", ["n"])
    assert await arms(store, "a") == {"n": 5.0}
    assert await store.get_linked_models("a") == ()


async def test_a_model_that_the_policy_cannot_be_without_stays_linked(store: Store) -> None:
    policy = {"name": "shadow", "arms": ["m", "n"], "parameters": {"primary": "m"}}
    await store.add_application(application("a", policy))
    await store.add_model_links("a", ["m", "n"])
    with pytest.raises(PolicyRefusal, match="which is none of its arms"):
        await store.delete_model_links("a", ["m"])
    assert await store.get_linked_models("a") == ("m", "n")


async def test_deleting_an_application_forgets_what_was_learnt(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_application(application("a*"))
    with redis_server.client(1) as client:
        client.hset("selection:a*:zero_one::0", "rounds", 1)
        client.hset("selection:a*:zero_one:user:0", "rounds", 1)
        client.hset("selection:ab:zero_one::0", "rounds", 1)
        await store.delete_application("a*")
        assert client.keys() == ["selection:ab:zero_one::0"]

"""Model versions in the registry: the registered ones, the current one, and the one that serves."""

from __future__ import annotations

import pytest

from clipper_container.input_types import InputType
from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.registry.models import ModelVersions
from clipper_frontend.registry.records import ApplicationRecord, FrontendRecord, ModelRecord
from clipper_frontend.registry.store import Store
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import eventually


def model(version: str, input_type: InputType = InputType.DOUBLES, name: str = "m") -> ModelRecord:
    return ModelRecord(name, version, input_type)


def frontend(frontend_id: str) -> FrontendRecord:
    return FrontendRecord(frontend_id, "127.0.0.1:7000", "127.0.0.1:1390", "0.1.0")


async def serving(store: Store, name: str = "m") -> str | None:
    return (await store.get_model_versions(name)).serving_version


async def test_a_version_is_read_as_it_was_added(store: Store) -> None:
    asked = ModelRecord("m", "1", InputType.STRINGS, ("a", "b"), "image:1", "/data", 7)
    added = await store.add_model(asked)
    found = await store.get_model("m", "1")
    assert found is not None
    assert found.record == added
    assert found.is_current_version
    assert (added.labels, added.container_name, added.batch_size) == (("a", "b"), "image:1", 7)


async def test_the_newest_version_becomes_current(store: Store) -> None:
    await store.add_model(model("1"))
    await store.add_model(model("2"))
    assert (await store.get_model_versions("m")).current_version == "2"
    assert [(found.record.version, found.is_current_version) for found in await store.get_models()] == [
        ("1", False),
        ("2", True),
    ]


async def test_a_version_cannot_be_added_twice(store: Store) -> None:
    first = await store.add_model(model("1"))
    with pytest.raises(RegistryRefusal, match="model with name 'm' and version '1' already exists"):
        await store.add_model(model("1", InputType.BYTES))
    found = await store.get_model("m", "1")
    assert found is not None
    assert found.record == first


async def test_a_version_registered_again_has_another_registration_id(store: Store) -> None:
    first = await store.add_model(model("1"))
    await store.delete_model_version("m", "1")
    second = await store.add_model(model("1"))
    assert first.registration_id
    assert first.registration_id != second.registration_id


async def test_a_hash_without_valid_counts_as_unregistered(store: Store, redis_server: RedisServer) -> None:
    await store.add_model(model("1"))
    with redis_server.client(2) as client:
        client.hdel("m:1", "valid")
        client.hset("m:1", "left", "over")
    assert await store.get_model("m", "1") is None
    assert (await store.get_model_versions("m")).current_version is None
    with pytest.raises(RegistryRefusal, match="not registered"):
        await store.set_model_version("m", "1")
    await store.add_model(model("1"))
    with redis_server.client(2) as client:
        assert not client.hexists("m:1", "left")


async def test_versions_keep_the_input_type_of_linked_applications(store: Store) -> None:
    await store.add_model(model("old", InputType.INTEGERS))
    await store.add_model(model("1"))
    await store.add_application(
        ApplicationRecord("digits", InputType.DOUBLES, "DefaultOutputSelectionPolicy", "0", 1000)
    )
    await store.add_model_links("digits", ["m"])
    with pytest.raises(RegistryRefusal, match=r"linked to app 'digits' using input type 'doubles'.*'floats'"):
        await store.add_model(model("2", InputType.FLOATS))
    with pytest.raises(RegistryRefusal, match=r"linked to app 'digits' using input type 'doubles'"):
        await store.set_model_version("m", "old")
    assert (await store.get_model_versions("m")).current_version == "1"
    assert (await store.get_model_versions("m")).versions == ("1", "old")


async def test_only_registered_versions_can_be_set_or_deleted(store: Store) -> None:
    await store.add_model(model("1"))
    with pytest.raises(RegistryRefusal, match="Cannot set non-existent version '2' for model 'm'"):
        await store.set_model_version("m", "2")
    with pytest.raises(RegistryRefusal, match="Model with name 'm' and version '2' does not exist"):
        await store.delete_model_version("m", "2")
    await store.set_model_version("m", "1")


async def test_deleting_the_current_version_leaves_none(store: Store, redis_server: RedisServer) -> None:
    await store.add_model(model("1"))
    await store.add_model(model("2"))
    assert await store.delete_model_version("m", "2") == ("1",)
    assert await store.get_model_versions("m") == ModelVersions(("1",), None, None)
    with redis_server.client(6) as client:
        assert client.keys("*_MODEL_VERSION:*") == []
    await store.set_model_version("m", "1")
    assert await store.get_model_versions("m") == ModelVersions(("1",), "1", "1")


async def test_deleting_the_serving_version_lets_the_current_one_serve(store: Store) -> None:
    await store.add_model(model("1"))
    await store.add_model(model("2"))
    assert await serving(store) == "1"
    await store.delete_model_version("m", "1")
    assert await serving(store) == "2"


@pytest.mark.parametrize("name", ["", "a:b", "a,b", "a/b", "..", "a\nb", "ü" * 128])
async def test_bad_names_are_refused(store: Store, name: str) -> None:
    for refused in (
        store.add_model(model("1", name=name)),
        store.add_model(model(name)),
        store.add_application(ApplicationRecord(name, InputType.DOUBLES, "p", "0", 1)),
    ):
        with pytest.raises(RegistryRefusal, match="Invalid"):
            await refused
    assert await store.get_models() == []


# -- promotion -------------------------------------------------------------------------------------


async def test_the_first_version_serves_at_once(store: Store) -> None:
    await store.add_model(model("1"))
    assert await serving(store) == "1"


async def test_a_new_version_serves_when_every_live_frontend_has_it_ready(store: Store) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.put_frontend(frontend("b"))
    await store.add_model(model("2"))
    assert await serving(store) == "1"
    await store.set_ready("a", "m", "2", 4)
    assert await serving(store) == "1"
    await store.set_ready("b", "m", "2", 4)
    assert await serving(store) == "2"


async def test_a_version_ready_everywhere_serves_when_it_is_added(store: Store) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.set_ready("a", "m", "2", 4)
    await store.add_model(model("2"))
    assert await serving(store) == "2"


async def test_losing_all_replicas_later_brings_no_older_version_back(store: Store) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.set_ready("a", "m", "1", 4)
    await store.set_ready("a", "m", "2", 4)
    await store.add_model(model("2"))
    await store.set_ready("a", "m", "2", None)
    assert await store.promote("m") == "2"


async def test_a_rollback_waits_for_the_older_version_to_be_ready(store: Store) -> None:
    await store.add_model(model("1"))
    await store.add_model(model("2"))
    await store.put_frontend(frontend("a"))
    await store.set_ready("a", "m", "2", 4)
    assert await serving(store) == "2"
    await store.set_model_version("m", "1")
    assert await serving(store) == "2"
    await store.set_ready("a", "m", "1", 4)
    assert await serving(store) == "1"


async def test_a_version_3_replica_counts_for_all_frontends(store: Store) -> None:
    await store.add_model(model("1"))
    for frontend_id in ("a", "b", "c"):
        await store.put_frontend(frontend(frontend_id))
    await store.add_model(model("2"))
    await store.set_ready("b", "m", "2", 3)
    assert await serving(store) == "2"


async def test_frontends_are_waited_for_no_longer_than_a_bounded_time(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.put_frontend(frontend("b"))
    await store.add_model(model("2"))
    await store.set_ready("a", "m", "2", 4)
    with redis_server.client(6) as client:
        first_ready_ms = int(client.get("FIRST_READY:m:2"))
        client.set("FIRST_READY:m:2", first_ready_ms - 9_000)
        assert await store.promote("m") == "1"
        client.set("FIRST_READY:m:2", first_ready_ms - 10_001)
        assert await store.promote("m") == "2"


async def test_an_old_time_of_being_ready_does_not_count_without_a_ready_frontend(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.put_frontend(frontend("b"))
    await store.add_model(model("2"))
    with redis_server.client(6) as client:
        client.set("FIRST_READY:m:2", 1)
        assert await store.promote("m") == "1"
        await store.set_ready("a", "m", "2", 4)
        assert await serving(store) == "1"
        await store.set_ready("a", "m", "2", None)
        assert client.get("FIRST_READY:m:2") is None


async def test_the_time_of_being_ready_does_not_stay_for_a_version_that_nobody_registers(
    store: Store, redis_server: RedisServer
) -> None:
    await store.put_frontend(frontend("a"))
    for version in ("1", "2"):
        await store.set_ready("a", "unknown", version, 4)
    with redis_server.client(6) as client:
        keys = client.keys("FIRST_READY:*")
        assert len(keys) == 2
        assert all(0 < client.pttl(key) <= 60_000 for key in keys)


async def test_the_others_were_waited_for_if_the_time_of_being_ready_is_not_kept_any_more(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.put_frontend(frontend("b"))
    await store.add_model(model("2"))
    await store.set_ready("a", "m", "2", 4)
    with redis_server.client(6) as client:
        client.delete("FIRST_READY:m:2")
    assert await store.promote("m") == "2"


async def test_a_frontend_that_leaves_is_waited_for_no_more(store: Store) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.put_frontend(frontend("b"))
    await store.add_model(model("2"))
    await store.set_ready("a", "m", "2", 4)
    await store.remove_frontend("b")
    assert await serving(store) == "2"


async def test_a_frontend_that_expired_is_waited_for_no_more(store: Store, redis_server: RedisServer) -> None:
    await store.add_model(model("1"))
    await store.put_frontend(frontend("a"))
    await store.put_frontend(frontend("b"))
    await store.add_model(model("2"))
    await store.set_ready("a", "m", "2", 4)
    with redis_server.client(4) as client:
        client.pexpire("QUERY_FRONTEND:b", 1)
        eventually(lambda: not client.exists("QUERY_FRONTEND:b"), "the record to expire")
    assert await store.promote("m") == "2"


async def test_a_version_of_another_input_type_serves_at_once(store: Store) -> None:
    await store.add_model(model("1", InputType.INTEGERS))
    await store.put_frontend(frontend("a"))
    await store.add_model(model("2", InputType.DOUBLES))
    assert await serving(store) == "2"


async def test_promoting_an_unknown_model_gives_none(store: Store) -> None:
    assert await store.promote("nobody") is None
    assert await store.get_model_versions("nobody") == ModelVersions((), None, None)

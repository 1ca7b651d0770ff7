"""Applications and links in the registry: writes and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import pytest

from clipper_container.input_types import InputType
from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.registry.applications import LinkedApplication
from clipper_frontend.registry.records import ApplicationRecord, ModelRecord, OnDefault
from clipper_frontend.registry.store import Store
from tests.support.frontends.redis_server import RedisServer

DIGITS = ApplicationRecord(
    "digits", InputType.DOUBLES, "DefaultOutputSelectionPolicy", 'say "no"', 20_000, OnDefault.ERROR
)


def application(name: str, input_type: InputType = InputType.DOUBLES) -> ApplicationRecord:
    return ApplicationRecord(name, input_type, "DefaultOutputSelectionPolicy", "0", 1000)


async def test_an_application_is_read_as_it_was_added(store: Store) -> None:
    await store.add_application(DIGITS)
    assert await store.get_application("digits") == LinkedApplication(DIGITS, ())
    assert await store.get_applications() == [LinkedApplication(DIGITS, ())]


async def test_a_second_application_of_the_same_name_changes_nothing(store: Store) -> None:
    await store.add_application(DIGITS)
    with pytest.raises(RegistryRefusal, match="application 'digits' already exists"):
        await store.add_application(application("digits"))
    assert await store.get_application("digits") == LinkedApplication(DIGITS, ())


@pytest.mark.parametrize("name", ["admin ", "\u202eppa", "cafe\u0301"])
async def test_a_name_that_is_not_taken_any_more_can_be_read_and_deleted_where_it_is_registered(
    store: Store, redis_server: RedisServer, name: str
) -> None:
    odd = application(name)
    with pytest.raises(RegistryRefusal, match="Invalid application name"):
        await store.add_application(odd)
    with redis_server.client(5) as client:
        client.hset(name, mapping=odd.to_hash())
    assert await store.get_application(name) == LinkedApplication(odd, ())
    await store.delete_application(name)
    assert await store.get_applications() == []


async def test_of_parallel_adders_one_succeeds(store: Store) -> None:
    results = await asyncio.gather(
        *(store.add_application(application("a")) for _ in range(50)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(result, RegistryRefusal) for result in results) == 49


async def test_deleting_takes_links_and_state_along(store: Store, redis_server: RedisServer) -> None:
    await store.add_application(DIGITS)
    await store.add_model(ModelRecord("m", "1", InputType.DOUBLES))
    await store.add_model_links("digits", ["m"])
    await store.delete_application("digits")
    for database in (1, 5, 7):
        with redis_server.client(database) as client:
            assert client.keys() == []
    with pytest.raises(RegistryRefusal, match="Application 'digits' does not exist"):
        await store.delete_application("digits")


async def test_a_link_can_be_made_again_and_deleted(store: Store) -> None:
    await store.add_application(DIGITS)
    await store.add_model(ModelRecord("m", "1", InputType.DOUBLES))
    await store.add_model_links("digits", ["m"])
    await store.add_model_links("digits", ["m"])
    assert await store.get_linked_models("digits") == ("m",)
    await store.delete_model_links("digits", ["m"])
    assert await store.get_linked_models("digits") == ()


@pytest.mark.parametrize(
    ("app", "models", "reason"),
    [
        ("nobody", ["m"], "No app with name 'nobody' exists"),
        ("digits", ["unknown"], "No model with name 'unknown' exists"),
        ("digits", ["ints"], "has incompatible input_type 'integers'.* has input_type 'doubles'"),
        ("digits", [], "Attempted to add links to 0 models"),
        ("digits", ["m", "n"], "at most one model. Attempted to add links to 2 models"),
        ("taken", ["n"], "'m' is already linked to 'taken'. An application may be linked to one model only"),
    ],
)
async def test_links_that_are_refused(store: Store, app: str, models: list[str], reason: str) -> None:
    await store.add_application(DIGITS)
    await store.add_application(application("taken"))
    for name in ("m", "n"):
        await store.add_model(ModelRecord(name, "1", InputType.DOUBLES))
    await store.add_model(ModelRecord("ints", "1", InputType.INTEGERS))
    await store.add_model_links("taken", ["m"])
    with pytest.raises(RegistryRefusal, match=reason):
        await store.add_model_links(app, models)
    assert await store.get_linked_models("digits") == ()
    assert await store.get_linked_models("taken") == ("m",)


async def test_deleting_links_is_all_or_nothing(store: Store) -> None:
    await store.add_application(DIGITS)
    await store.add_model(ModelRecord("m", "1", InputType.DOUBLES))
    await store.add_model_links("digits", ["m"])
    with pytest.raises(RegistryRefusal, match="nonexistent link between app 'digits' and model 'n'"):
        await store.delete_model_links("digits", ["m", "n"])
    with pytest.raises(RegistryRefusal, match="No app with name 'nobody' exists"):
        await store.delete_model_links("nobody", ["m"])
    with pytest.raises(RegistryRefusal, match="names of the models to unlink"):
        await store.delete_model_links("digits", [])
    assert await store.get_linked_models("digits") == ("m",)


async def test_linking_while_deleting_leaves_no_link_without_application(
    store: Store, redis_server: RedisServer
) -> None:
    await store.add_model(ModelRecord("m", "1", InputType.DOUBLES))
    names = [f"app{number}" for number in range(20)]
    for name in names:
        await store.add_application(application(name))
    calls = [call for name in names for call in _link_and_delete(store, name)]
    await asyncio.gather(*calls, return_exceptions=True)
    assert await store.get_applications() == []
    with redis_server.client(7) as client:
        assert client.keys() == []


def _link_and_delete(store: Store, name: str) -> list[Coroutine[None, None, None]]:
    return [store.add_model_links(name, ["m"]), store.delete_application(name)]


async def test_an_unreadable_application_is_passed_over_with_a_warning(
    store: Store, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    await store.add_application(DIGITS)
    await store.add_application(application("edited"))
    with redis_server.client(5) as client:
        client.hset("edited", "latency_slo_micros", "soon")
        client.set("string", "not a hash")
    assert [found.record.name for found in await store.get_applications()] == ["digits"]
    assert await store.get_application("edited") is None
    assert "application edited: field 'latency_slo_micros'" in caplog.text

"""Admin calls at the same time: each is carried out completely or not at all."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functional.compatibility.letter_management_client import LetterManagementClient
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend

PARALLEL = 50


@pytest.fixture
def client(management: ManagementFrontend) -> LetterManagementClient:
    return LetterManagementClient(management.rest)


def test_of_parallel_add_app_calls_one_succeeds(client: LetterManagementClient) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        replies = list(
            pool.map(lambda number: client.add_app("a", default_output=str(number)), range(PARALLEL))
        )
    assert Counter(reply.status for reply in replies) == {200: 1, 400: PARALLEL - 1}
    winner = next(number for number, reply in enumerate(replies) if reply.status == 200)
    assert client.call("get_application", name="a").json["default_output"] == str(winner)


def test_of_parallel_versions_all_are_added_and_one_is_current(client: LetterManagementClient) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        replies = list(pool.map(lambda number: client.add_model("m", str(number)), range(PARALLEL)))
    assert {reply.status for reply in replies} == {200}
    models = client.call("get_all_models", verbose=True).json
    assert len(models) == PARALLEL
    assert sum(model["is_current_version"] for model in models) == 1


def test_of_parallel_links_to_different_models_one_succeeds(client: LetterManagementClient) -> None:
    client.add_app("a")
    for number in range(10):
        client.add_model(f"m{number}")
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda number: client.link("a", f"m{number}"), range(10)))
    assert Counter(reply.status for reply in replies) == {200: 1, 400: 9}
    assert len(client.call("get_linked_models", app_name="a").json) == 1


def test_linking_while_deleting_leaves_no_link_without_application(
    client: LetterManagementClient, redis_server: RedisServer
) -> None:
    client.add_model("m")

    def link_or_delete(number: int) -> int:
        name = f"a{number // 2}"
        reply = client.link(name, "m") if number % 2 else client.call("delete_app", name=name)
        return reply.status

    for name in range(PARALLEL // 2):
        client.add_app(f"a{name}")
    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = list(pool.map(link_or_delete, range(PARALLEL)))
    assert set(statuses[::2]) == {200}
    with redis_server.client(7) as redis:
        assert redis.keys() == []

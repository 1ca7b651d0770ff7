"""The contract of feedback: it counts once, whichever query frontend gets it."""

from __future__ import annotations

import http.client
import itertools
import json

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.testing.harness import Build, Harness
from clipper_nomad.testing.models import row_sums
from clipper_nomad.testing.rest import RefusedError, predict, request
from clipper_nomad.testing.waiting import eventually

_POLICY = {"name": "majority_vote", "loss": "zero_one", "half_life_s": None}
_NUM_QUERIES = 30


def query_addresses(manager: ContainerManager) -> list[str]:
    """Return the addresses at which all query frontends are reached: one for all, or one for each."""
    of_each = getattr(manager, "query_addresses", None)
    return list(of_each()) if of_each is not None else [manager.get_query_address()]


def send(address: str, query_id: int) -> object:
    """Send feedback on a connection of its own, and return the answer, or a refusal's status and text."""
    body = json.dumps({"query_id": query_id, "label": "3.0"}).encode()
    status, text = request(address, "POST", "/learning/update", body)
    return json.loads(text) if status == 200 else (status, text.decode())


def test_feedback_counts_once_at_whichever_query_frontend_it_arrives(harness: Harness, build: Build) -> None:
    connection = ClipperConnection(harness.make_manager())
    connection.start_clipper(num_frontend_replicas=2)
    connection.deploy_model("sums", 1, "doubles", build(connection.cm, row_sums()))
    connection.register_application("learning", "doubles", "none", 5_000_000, policy=_POLICY)
    connection.link_model_to_app("learning", "sums")
    addresses = query_addresses(connection.cm)

    def ask(address: str) -> int | None:
        try:
            answer = predict(address, "learning", input=[1.0, 2.0])
        except (OSError, RefusedError, http.client.HTTPException):
            return None
        return None if answer["default"] else int(answer["query_id"])

    for address in addresses:
        eventually(lambda address=address: ask(address) is not None, "the query frontend answers")  # type: ignore[misc]
    given = [ask(address) for address in itertools.islice(itertools.cycle(addresses), _NUM_QUERIES)]
    query_ids = [query_id for query_id in given if query_id is not None]
    # Of several addresses, each gets what another one answered.
    elsewhere = list(itertools.islice(itertools.cycle(addresses[1:] + addresses[:1]), len(query_ids)))
    first = [send(address, query_id) for address, query_id in zip(elsewhere, query_ids, strict=True)]
    again = [send(address, query_id) for address, query_id in zip(elsewhere, query_ids, strict=True)]
    assert len(query_ids) == _NUM_QUERIES
    assert first == [{"feedback": "accepted"}] * _NUM_QUERIES
    assert again == [{"feedback": "duplicate"}] * _NUM_QUERIES
    assert len({query_id >> 32 for query_id in query_ids}) == 2, "both query frontends answered"

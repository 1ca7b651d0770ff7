"""The registry of a cluster, as another tool sees it in Redis."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import redis

from clipper_nomad.testing.rest import request
from tests.support.hostile.served import Served

SELECTION, MODELS, REPLICAS, FRONTENDS, APPLICATIONS, METADATA, LINKS = range(1, 8)
#: What lasts until somebody deletes it.
_LASTING = (SELECTION, MODELS, APPLICATIONS, METADATA, LINKS)
# Outcomes of batches of feedback, which end by themselves.
_BATCHES = "selection_batch:"
# Redis' word for a key that does not end by itself; those of first replicas do.
_NO_END = -1


class Registry:
    """A reader of one cluster's Redis, and a client of its management port."""

    def __init__(self, served: Served) -> None:
        self._port = served.cluster.ports["redis_port"]
        self._management = served.management

    def keys(self, database: int) -> set[str]:
        """Return the names of all keys of a database."""
        with self._client(database) as client:
            return {key for key in client.scan_iter() if not key.startswith(_BATCHES)}

    def lasting(self) -> set[tuple[int, str]]:
        """Return all keys that do not end by themselves, with their databases."""
        found: set[tuple[int, str]] = set()
        for database in _LASTING:
            with self._client(database) as client:
                found |= {(database, key) for key in client.scan_iter() if client.ttl(key) == _NO_END}
        return found

    def read(self, database: int, key: str) -> Any:
        """Return a value: of a string, a set or a hash."""
        with self._client(database) as client:
            readers = {"string": client.get, "set": client.smembers, "hash": client.hgetall}
            # A key that ends by itself may have ended meanwhile.
            return readers.get(client.type(key), lambda _: None)(key)

    def read_all(self, database: int) -> dict[str, Any]:
        """Return the values of all keys of a database."""
        return {key: self.read(database, key) for key in self.keys(database)}

    def call(self, call: str, /, **body: Any) -> tuple[int, str]:
        """Make an admin call; return its status and its text."""
        status, text = request(self._management, "POST", f"/admin/{call}", json.dumps(body).encode())
        return status, text.decode()

    def delete_all_but(self, applications: set[str], models: set[str]) -> None:
        """Delete all applications and versions (`name:version`) except these, over the management port."""
        for app in json.loads(self.call("get_all_applications")[1]):
            if app not in applications:
                self.call("delete_app", name=app)
        for model in json.loads(self.call("get_all_models")[1]):
            if model not in models:
                name, _, version = model.partition(":")
                self.call("delete_versioned_model", model_name=name, model_version=version)

    @contextlib.contextmanager
    def _client(self, database: int) -> Any:
        client: Any = redis.Redis(port=self._port, db=database, decode_responses=True)
        with contextlib.closing(client):
            yield client

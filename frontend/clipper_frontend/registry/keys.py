"""The names of databases and keys in Redis, written and read; their values are in `records`.

The layout is Clipper's, so that existing tools can read it; database 4 and all keys of database 6 except the
first are this project's additions.

    db 2  <model>:<version>                  db 6  CURRENT_MODEL_VERSION:<model>
    db 3  <model>,<version>,<replica>              SERVING_MODEL_VERSION:<model>
    db 4  QUERY_FRONTEND:<frontend id>             FIRST_READY:<model>:<version>
          QUERY_FRONTEND_NUMBER                    CLUSTER_NAME
          QUERY_FRONTEND_CLAIM:<frontend id>       REGISTRY_EPOCHS
                                                   RESTORE_REGISTRY
    db 5  <application>
    db 7  <application>                      db 1  see selection

Two channels, which belong to no database: `clipper:sync` carries tokens, and `clipper:applied` answers
`<token> <frontend id>`.
"""

from __future__ import annotations

import enum
from typing import NamedTuple


class Database(enum.IntEnum):
    """The numbered databases of one Redis."""

    SELECTION_STATE = 1
    MODELS = 2
    REPLICAS = 3
    FRONTENDS = 4
    APPLICATIONS = 5
    METADATA = 6
    LINKS = 7


#: The databases that a query frontend mirrors and follows.
FOLLOWED = tuple(database for database in Database if database is not Database.SELECTION_STATE)

CLUSTER_NAME = "CLUSTER_NAME"
EPOCHS = "REGISTRY_EPOCHS"
CURRENT_PREFIX = "CURRENT_MODEL_VERSION:"
SERVING_PREFIX = "SERVING_MODEL_VERSION:"
FIRST_READY_PREFIX = "FIRST_READY:"
FRONTEND_PREFIX = "QUERY_FRONTEND:"
HOLDER_PREFIX = "holder:"
READY_PREFIX = "ready:"

#: Writers publish a token on the first channel; followers acknowledge it on the second.
SYNC_CHANNEL = "clipper:sync"
APPLIED_CHANNEL = "clipper:applied"


class VersionKey(NamedTuple):
    """One version of one model."""

    model_name: str
    model_version: str

    def __str__(self) -> str:
        return f"{self.model_name}:{self.model_version}"

    @classmethod
    def parse(cls, text: str) -> VersionKey:
        """Read `<model>:<version>`, or raise ValueError."""
        name, separator, version = text.partition(":")
        if not name or not separator or not version or ":" in version:
            raise ValueError(f"{text!r} is not of the form <model>:<version>")
        return cls(name, version)


class ReplicaKey(NamedTuple):
    """One replica of one version of one model."""

    model_name: str
    model_version: str
    replica_id: int

    def __str__(self) -> str:
        return f"{self.model_name},{self.model_version},{self.replica_id}"

    @property
    def version_key(self) -> VersionKey:
        """Return the version that this is a replica of."""
        return VersionKey(self.model_name, self.model_version)

    @classmethod
    def parse(cls, text: str) -> ReplicaKey:
        """Read `<model>,<version>,<replica>`, or raise ValueError."""
        parts = text.split(",")
        if len(parts) != 3 or not all(parts) or not (parts[2].isascii() and parts[2].isdigit()):
            raise ValueError(f"{text!r} is not of the form <model>,<version>,<replica>")
        return cls(parts[0], parts[1], int(parts[2]))


def current_key(model_name: str) -> str:
    """Return the metadata key that holds a model's current version."""
    return CURRENT_PREFIX + model_name


def frontend_key(frontend_id: str) -> str:
    """Return the key of a query frontend's record."""
    return FRONTEND_PREFIX + frontend_id


def keyspace_pattern(database: Database) -> str:
    """Return the pattern to subscribe to for the keyspace events of a database."""
    return f"__keyspace@{int(database)}__:*"


def parse_keyspace_channel(channel: str) -> tuple[Database, str]:
    """Return the database and the key in the channel of a keyspace event, or raise ValueError."""
    head, separator, key = channel.partition("__:")
    prefix = "__keyspace@"
    if not separator or not head.startswith(prefix):
        raise ValueError(f"{channel!r} is not a keyspace channel")
    return Database(int(head[len(prefix) :])), key

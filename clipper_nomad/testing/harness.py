"""The place of one cluster, as the contract suite needs it: how to make its manager and look behind it.

A harness has a cluster name and addresses of its own, which it shares with no other. It starts nothing by
itself, and nothing of its cluster is left when its block ends, whatever a test did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from clipper_nomad.managers.base import ContainerManager

#: Builds a model function for a manager, with pip packages if any follow, and returns the image.
Build = Callable[..., str]


class Harness(Protocol):
    """The place of one cluster.

    `version_function` is the dotted path of the function that tells the manager this project's version; the
    suite replaces it to play a newer one. `elsewhere` are settings of make_manager() that move a cluster to
    another address.
    """

    cluster_name: str
    version_function: str
    elsewhere: Mapping[str, int]

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def make_manager(self, **settings: Any) -> ContainerManager:
        """Return a manager of the cluster that is not connected yet."""

    def connect_script(self) -> str:
        """Return Python code that leaves a connected `manager` in another process."""

    def parts(self) -> dict[str, str]:
        """Return what runs: the name of each part, and what tells one run of it from another.

        The names are `redis`, `management-frontend`, `query-frontend…` and `model.NAME.VERSION.INDEX`.
        """

    def kill(self, part: str) -> None:
        """End a part as `kill -9` does."""

    def taken_port(self) -> AbstractContextManager[str]:
        """Take a port that start_clipper() needs for a block; enter with the pattern of its refusal."""

    def is_gone(self) -> bool:
        """Return whether nothing of the cluster is left, running or kept."""


class MakeHarness(Protocol):
    """What the fixture `make_harness` returns.

    With `keeps_state` the place's cluster can be stopped with its state kept; a place that cannot may start
    sooner.
    """

    def __call__(self, *, keeps_state: bool = False) -> Harness: ...

"""The harness of the contract suite: makes the managers of one cluster, and looks behind them.

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

    `version_function` is the dotted path of the function from which the manager gets this project's version;
    the suite replaces it to play a newer one. `elsewhere` are settings of make_manager() that move a cluster
    to another address.
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
        """Return the parts that run: by name, an id that each run of the part has alone.

        The names are `redis`, `management-frontend`, `query-frontend…` and `model.NAME.VERSION.INDEX`.
        """

    def kill(self, part: str) -> None:
        """End a part as `kill -9` does."""

    def taken_port(self) -> AbstractContextManager[str]:
        """Hold a port that start_clipper() needs, for a block; give the pattern of the refusal's text."""

    def is_gone(self) -> bool:
        """Return whether nothing of the cluster is left, running or kept."""


class MakeHarness(Protocol):
    """The factory that the fixture `make_harness` returns.

    With `keeps_state` the cluster can be stopped with its state kept. A harness without it may start sooner.
    """

    def __call__(self, *, keeps_state: bool = False) -> Harness: ...

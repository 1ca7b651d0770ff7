"""The cluster that a demo runs on: started for a block, and stopped at its end whatever happens."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.managers.base import ContainerManager


@contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM end the demo as Ctrl-C does, so that its cluster is stopped."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def running_cluster(
    console: Console, manager: ContainerManager, cache_bytes: int
) -> Iterator[ClipperConnection]:
    """Start the demo's own cluster, and stop it with all that belongs to it."""
    # An earlier demo may have been killed before it stopped its cluster.
    manager.remove_leftovers()
    connection = ClipperConnection(manager)
    try:
        with timed(console, "Started a cluster"):
            connection.start_clipper(cache_size=cache_bytes)
        yield connection
    finally:
        with timed(console, "Stopped the cluster"):
            manager.remove_leftovers()


@contextmanager
def timed(console: Console, done: str) -> Iterator[None]:
    """Show that a step runs, and then how long it took."""
    start_s = time.perf_counter()
    with console.status(f"{done} …"):
        yield
    console.print(f"[bold]{done}[/] in {time.perf_counter() - start_s:.1f} s", highlight=False)

"""The roll of a cluster's only query frontend on Docker: how long its port goes unanswered."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Self

import pytest

from clipper_nomad.connection import ClipperConnection
from tests.contract.harness import DockerHarness
from tests.support.frontends.cluster import request

pytestmark = pytest.mark.timeout(180)

#: Two containers cannot publish one port: one ends, and another starts, on a machine with other tests.
_MAX_GAP_S = 4.0


class Gaps:
    """Asks an address without a pause, and keeps the longest time without an answer, in seconds."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.longest_s = 0.0
        self.answers = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        answered_s = time.monotonic()
        while not self._done.is_set():
            try:
                request(self._address, "GET", "/health/live", timeout_s=10)
            except (OSError, http.client.HTTPException):
                self._done.wait(0.002)
                continue
            now_s = time.monotonic()
            self.longest_s = max(self.longest_s, now_s - answered_s)
            self.answers += 1
            answered_s = now_s


def test_the_port_of_an_only_query_frontend_is_unanswered_for_a_moment(harness: DockerHarness) -> None:
    connection = ClipperConnection(harness.make_manager())
    connection.start_clipper()
    with Gaps(connection.get_query_addr()) as gaps:
        connection.start_clipper(cache_size=1 << 20)
    print(f"unanswered for {gaps.longest_s:.2f} s; {gaps.answers} answers")
    assert gaps.answers
    assert 0.1 < gaps.longest_s < _MAX_GAP_S

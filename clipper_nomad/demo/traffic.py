"""The demo's application: it sends rows over REST, one at a time or steadily in the background."""

from __future__ import annotations

import http.client
import itertools
import json
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from clipper_nomad.errors import ClipperException

_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Answer:
    """The answer to the row of this number. `value` is NaN if the output is not a number."""

    row: int
    value: float
    is_default: bool
    latency_ms: float


class Client:
    """One connection that is kept alive, as an application's would be."""

    def __init__(self, address: str, app: str, rows: Sequence[Sequence[float]]) -> None:
        place, slash, prefix = address.partition("/")
        self._connection = http.client.HTTPConnection(place, timeout=_TIMEOUT_S)
        self._path = f"{slash}{prefix}/{app}/predict"
        self._bodies = [json.dumps({"input": list(row)}).encode() for row in rows]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, row: int) -> Answer:
        """Send one row and return its answer. Raises ClipperException if there is none."""
        headers = {"Content-Type": "application/json"}
        start_s = time.perf_counter()
        try:
            self._connection.request("POST", self._path, self._bodies[row], headers)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise ClipperException(
                f"Could not get an answer from the query frontend ({error!r}): see its log."
            ) from error
        latency_ms = (time.perf_counter() - start_s) * 1000
        if response.status != http.client.OK:
            raise ClipperException(
                f"A query was refused with status {response.status}: {body.decode()[:200]}"
            )
        answer = json.loads(body)
        output = answer["output"]
        value = float(output) if isinstance(output, int | float) else math.nan
        return Answer(row, value, bool(answer["default"]), latency_ms)

    def ask_all(self) -> list[Answer]:
        """Send every row once, one after the other."""
        return [self.ask(row) for row in range(len(self._bodies))]


class BackgroundTraffic:
    """Sends the rows again and again from a thread of its own, for the length of a `with` block."""

    def __init__(self, client: Client, num_rows: int) -> None:
        self._client = client
        self._num_rows = num_rows
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo queries")
        self._failure: ClipperException | None = None
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def result(self) -> list[Answer]:
        """Return all answers once the block is left; raise the error that ended the queries early."""
        if self._failure is not None:
            raise self._failure
        return self.answers

    def _run(self) -> None:
        try:
            for row in itertools.cycle(range(self._num_rows)):
                if self._stopping.is_set():
                    return
                self.answers.append(self._client.ask(row))
        except ClipperException as error:
            self._failure = error

"""The application: it asks every policy the same queries in turn, and sends the right answers as feedback."""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp

from clipper_nomad.demo.selection.stream import Stream
from clipper_nomad.errors import ClipperException

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_READY_TIMEOUT_S = 10.0
_INPUTS_PER_BATCH = 100
#: Policies forget by the clock: without a fixed pace, faster machines would give other results.
_MAX_PER_S = 90.0


@dataclass
class Played:
    """The losses of each application, and how many answers were defaults."""

    losses: dict[str, list[int]] = field(default_factory=dict)
    defaults: int = 0

    def count(self, app: str, answer: Mapping[str, Any], label: int) -> None:
        """Take the answer to an application's next query."""
        self.losses.setdefault(app, []).append(int(answer["default"] or answer["output"] != label))
        self.defaults += bool(answer["default"])


class Player:
    """Asks applications at a query address; opened by `async with`. Raises ClipperException if refused."""

    def __init__(self, query_address: str) -> None:
        self._url = f"http://{query_address}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def await_served(self, apps: Iterable[str], picture: Sequence[float]) -> None:
        """Return once every application answers with a prediction, a matter of milliseconds."""
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                for app in apps:
                    while (await self._post(app, "predict", {"input": picture}))["default"]:
                        pass
        except TimeoutError as error:
            raise ClipperException(
                f"No model answered within {_READY_TIMEOUT_S:g} s: see the query frontend's log."
            ) from error

    async def play(self, apps: Sequence[str], stream: Stream, played_one: Callable[[], None]) -> Played:
        """Ask the applications one query after another, each with feedback before the next."""
        played = Played()
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        queries = zip(stream.pictures.tolist(), stream.labels, strict=True)
        for number, (picture, label) in enumerate(queries):
            await asyncio.sleep(start_s + number / _MAX_PER_S - loop.time())
            answers = await asyncio.gather(*(self._ask_with_feedback(app, picture, label) for app in apps))
            for app, answer in zip(apps, answers, strict=True):
                played.count(app, answer, label)
            played_one()
        return played

    async def ask_all(self, apps: Iterable[str], stream: Stream) -> Played:
        """Ask each application all queries, in batches and without feedback."""
        played = Played()
        pictures = stream.pictures.tolist()
        for app in apps:
            for start in range(0, len(stream), _INPUTS_PER_BATCH):
                body = {"input_batch": pictures[start : start + _INPUTS_PER_BATCH]}
                answer = await self._post(app, "predict", body)
                # A batch of one is answered as a query.
                answers = answer.get("batch_predictions", [answer])
                labels = stream.labels[start : start + _INPUTS_PER_BATCH]
                for one, label in zip(answers, labels, strict=True):
                    played.count(app, one, label)
        return played

    async def _ask_with_feedback(self, app: str, picture: Sequence[float], label: int) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await self._post(app, "predict", {"input": picture})
        outcome = await self._post(app, "update", {"query_id": answer["query_id"], "label": label})
        if outcome != {"feedback": "accepted"}:
            raise ClipperException(
                f"Feedback for a query that was just answered is {outcome['feedback']}: see the query "
                "frontend's log."
            )
        return answer

    async def _post(self, app: str, call: str, body: Mapping[str, Any]) -> Any:
        data = json.dumps(body).encode()
        try:
            async with self._session.post(f"{self._url}/{app}/{call}", data=data) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ClipperException(
                f"Could not get an answer from the query frontend ({error!r}): see its log."
            ) from error
        if response.status != http.HTTPStatus.OK:
            raise ClipperException(f"/{app}/{call} was refused with status {response.status}: {text[:200]}")
        return json.loads(text)

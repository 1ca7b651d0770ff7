"""The handover of feedback to the query frontends that gave the answers, and so remember them.

Feedback travels in the body of POST /feedback on the other frontend's admin port. There is one queue for each
other frontend: feedback that arrives while a request is in flight goes with the next one.

    {"feedback": [[application, query id, label], …]}     {"answers": [[status, body], …]}
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.selection.losses import Label
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query.handover")

FEEDBACK_PATH: Final = b"/feedback"

_MAX_PER_REQUEST: Final = 200
_MAX_WAITING: Final = 10_000
#: Longer than the other frontend waits for Redis.
_TIMEOUT_S: Final = 5.0


class OneFeedback(NamedTuple):
    """The label for one query's answer."""

    application: str
    query_id: int
    label: Label


class _Request(msgspec.Struct):
    feedback: list[tuple[str, int, Any]]


class _Response(msgspec.Struct):
    answers: list[tuple[int, msgspec.Raw]]


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_response = msgspec.json.Decoder(_Response).decode

#: Receives the status and the body of the response to one feedback.
Respond = Callable[[int, bytes], None]


def decode_request(body: bytes) -> list[OneFeedback]:
    """Read the feedback that another frontend hands over; raises ValueError."""
    try:
        return [OneFeedback(*one) for one in _decode_request(body).feedback]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error


def encode_response(answers: Sequence[tuple[int, bytes]]) -> bytes:
    """Return the response to a handover: status and JSON body for each feedback, in order."""
    return b'{"answers":[%b]}' % b",".join([b"[%d,%b]" % answer for answer in answers])


class Handover:
    """The queues to all other query frontends, by their admin addresses. End it with close()."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._peers: dict[str, _Peer] = {}

    def hand(self, address: str, feedback: OneFeedback, respond: Respond) -> None:
        """Hand feedback to the frontend at this address, and pass its response on.

        Without a response that is a 503: feedback that is sent again still counts once.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))
        peer = self._peers.get(address)
        if peer is None:
            peer = self._peers[address] = _Peer(self._session, address, self._done)
        peer.add(feedback, respond)

    async def close(self) -> None:
        """Stop handing over, and refuse the feedback that waits."""
        for peer in list(self._peers.values()):
            await peer.close()
        self._peers.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _done(self, address: str) -> None:
        self._peers.pop(address, None)


class _Peer:
    """Another query frontend, as long as there is feedback for it."""

    def __init__(self, session: aiohttp.ClientSession, address: str, done: Callable[[str], None]) -> None:
        self._session = session
        self._address = address
        self._done = done
        self._waiting: list[tuple[OneFeedback, Respond]] = []
        self._sent: list[tuple[OneFeedback, Respond]] = []
        self._task = asyncio.create_task(self._run(), name=f"handover to {address}")

    def add(self, feedback: OneFeedback, respond: Respond) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            respond(503, _unreachable(self._address, "too much feedback waits for it"))
        else:
            self._waiting.append((feedback, respond))

    async def close(self) -> None:
        await end_task(self._task)
        self._refuse(self._sent + self._waiting, "this query frontend stops")

    async def _run(self) -> None:
        while self._waiting:
            self._sent, self._waiting = (
                self._waiting[:_MAX_PER_REQUEST],
                self._waiting[_MAX_PER_REQUEST:],
            )
            try:
                answers = await self._post([feedback for feedback, _ in self._sent])
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
                problem = str(exc) or type(exc).__name__
                logger.warning(
                    "could not hand feedback to the query frontend at %s: %s", self._address, problem
                )
                self._refuse(self._sent, problem)
            else:
                for (_, respond), (status, body) in zip(self._sent, answers, strict=True):
                    respond(status, bytes(body))
            self._sent = []
        self._done(self._address)

    async def _post(self, feedback: Sequence[OneFeedback]) -> list[tuple[int, msgspec.Raw]]:
        body = msgspec.json.encode({"feedback": feedback})
        url = f"http://{self._address}{FEEDBACK_PATH.decode()}"
        async with self._session.post(url, data=body) as response:
            text = await response.read()
        if response.status != 200:
            raise ValueError(f"status {response.status}: {text[:200].decode(errors='replace')}")
        answers = _decode_response(text).answers
        if len(answers) != len(feedback):
            raise ValueError(f"{len(answers)} answers to {len(feedback)} feedbacks")
        return answers

    def _refuse(self, handed: Sequence[tuple[OneFeedback, Respond]], problem: str) -> None:
        for _, respond in handed:
            respond(503, _unreachable(self._address, problem))


def _unreachable(address: str, problem: str) -> bytes:
    cause = (
        f"the query frontend that answered this query cannot be asked at {address}: {problem}. "
        "Send the feedback again: it counts once"
    )
    return error_body("Feedback not acknowledged", cause)

"""The handover of feedback to the query frontends that gave the answers, and so remember them.

Feedback travels in the body of POST /feedback on the other frontend's admin port. There is one queue for each
other frontend: feedback that arrives while a request is in flight goes with the next one.

    {"feedback": [[application, query id, label], …]}
    {"answers": [[status, body], …], "guessed": [index, …]}

`guessed` are those whose query id the other frontend never gave.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from clipper_frontend.query.bodies.answers import error_body
from clipper_frontend.selection.losses import Label
from clipper_frontend.tasks import end_task

logger = logging.getLogger("clipper.query.handover")

FEEDBACK_PATH: Final = b"/feedback"

_MAX_PER_REQUEST: Final = 200
_MAX_WAITING: Final = 10_000


class OneFeedback(NamedTuple):
    """The label for one query's answer."""

    application: str
    query_id: int
    label: Label


class _Request(msgspec.Struct):
    feedback: list[tuple[str, int, Any]]


class _Response(msgspec.Struct):
    answers: list[tuple[int, msgspec.Raw]]
    guessed: list[int] = []


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


def encode_response(answers: Sequence[tuple[int, bytes]], guessed: Sequence[int] = ()) -> bytes:
    """Return the response to a handover: status and JSON body for each feedback, in order.

    `guessed` are the indexes of those whose query id was never given.
    """
    listed = b",".join([b"[%d,%b]" % answer for answer in answers])
    return b'{"answers":[%b]%b}' % (listed, b',"guessed":' + msgspec.json.encode(guessed) if guessed else b"")


class Poster(Protocol):
    """An HTTP client (posting.py)."""

    async def post(self, url: str, body: bytes) -> tuple[int, bytes]:
        """Return the status and the body of the answer. Raises OSError if there is none in time."""

    async def close(self) -> None:
        """Close the connections."""


async def _make_poster() -> Poster:
    """Return a client; the thread that imports it keeps this one free for queries."""
    module = await asyncio.to_thread(importlib.import_module, "clipper_frontend.query.feedback.posting")
    poster: Poster = module.Poster()
    return poster


def _ignore() -> None:
    """Ignore that a query id was never given."""


class _Handed(NamedTuple):
    """Feedback on its way to another frontend."""

    feedback: OneFeedback
    respond: Respond
    guessed: Callable[[], None]


class Handover:
    """The queues to all other query frontends, by their admin addresses. End it with close()."""

    def __init__(self) -> None:
        self._poster: asyncio.Task[Poster] | None = None
        self._peers: dict[str, _Peer] = {}

    def hand(
        self,
        address: str,
        feedback: OneFeedback,
        respond: Respond,
        guessed: Callable[[], None] = _ignore,
    ) -> None:
        """Hand feedback to the frontend at this address, and pass its response on.

        `guessed` is called if that frontend never gave the query id. Without a response that is a 503:
        feedback that is sent again still counts once.
        """
        if self._poster is None:
            self._poster = asyncio.create_task(_make_poster(), name="HTTP client of the handover")
        peer = self._peers.get(address)
        if peer is None:
            peer = self._peers[address] = _Peer(self._poster, address, self._done)
        peer.add(_Handed(feedback, respond, guessed))

    async def close(self) -> None:
        """Stop handing over, and refuse the feedback that waits."""
        for peer in list(self._peers.values()):
            await peer.close()
        self._peers.clear()
        if self._poster is not None:
            poster, self._poster = await self._poster, None
            await poster.close()

    def _done(self, address: str) -> None:
        self._peers.pop(address, None)


class _Peer:
    """Another query frontend, as long as there is feedback for it."""

    def __init__(self, poster: asyncio.Task[Poster], address: str, done: Callable[[str], None]) -> None:
        self._poster = poster
        self._address = address
        self._done = done
        self._waiting: list[_Handed] = []
        self._sent: list[_Handed] = []
        self._task = asyncio.create_task(self._run(), name=f"handover to {address}")

    def add(self, handed: _Handed) -> None:
        if len(self._waiting) >= _MAX_WAITING:
            handed.respond(503, _unreachable(self._address, "too much feedback waits for it"))
        else:
            self._waiting.append(handed)

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
                response = await self._post([handed.feedback for handed in self._sent])
            except (OSError, ValueError) as exc:
                problem = str(exc) or type(exc).__name__
                logger.warning(
                    "could not hand feedback to the query frontend at %s: %s", self._address, problem
                )
                self._refuse(self._sent, problem)
            else:
                for index in response.guessed:
                    self._sent[index].guessed()
                for handed, (status, body) in zip(self._sent, response.answers, strict=True):
                    handed.respond(status, bytes(body))
            self._sent = []
        self._done(self._address)

    async def _post(self, feedback: Sequence[OneFeedback]) -> _Response:
        body = msgspec.json.encode({"feedback": feedback})
        url = f"http://{self._address}{FEEDBACK_PATH.decode()}"
        # Shielded: this peer may be ended while others wait for the client too.
        poster = await asyncio.shield(self._poster)
        status, text = await poster.post(url, body)
        if status != 200:
            raise ValueError(f"status {status}: {text[:200].decode(errors='replace')}")
        decoded = _decode_response(text)
        if len(decoded.answers) != len(feedback):
            raise ValueError(f"{len(decoded.answers)} answers to {len(feedback)} feedbacks")
        if any(not 0 <= index < len(feedback) for index in decoded.guessed):
            raise ValueError(f"{decoded.guessed} are not among {len(feedback)} feedbacks")
        return decoded

    def _refuse(self, handed: Sequence[_Handed], problem: str) -> None:
        for each in handed:
            each.respond(503, _unreachable(self._address, problem))


def _unreachable(address: str, problem: str) -> bytes:
    cause = (
        f"the query frontend that answered this query cannot be asked at {address}: {problem}. "
        "Send the feedback again: it counts once"
    )
    return error_body("Feedback not acknowledged", cause)

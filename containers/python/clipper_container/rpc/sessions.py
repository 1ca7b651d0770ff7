"""All sessions of one replica: their beginnings and ends, and the batches that wait to be run.

The rules across sessions: one per frontend, a new one for every try, goodbye on all of them. Sockets are
behind Transport, time is an argument, and nothing blocks.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Optional, Protocol

from clipper_container import wire
from clipper_container.addresses import parse_address
from clipper_container.rpc.links import Link, Outcome, State
from clipper_container.rpc.peers import Peers

_LOG = logging.getLogger("clipper.container")
#: A frontend has this long after a goodbye to confirm that no further batch is under way.
SETTLE_LIMIT_S = 1.0
_MICROS_PER_S = 1_000_000


class Job(NamedTuple):
    """A batch that waits to be run for the frontend at the other end of `link`."""

    link: Link
    request: wire.Request
    deadline: float


class Transport(Protocol):
    """The sockets, as sessions use them. No method blocks or calls back."""

    def dial(self, link: Link, first: Sequence[bytes]) -> None:
        """Begin to connect to `link.address`, and send `first` as soon as the connection is there."""

    def send(self, link: Link, frames: Sequence[bytes]) -> None:
        """Send one message; it is dropped if the connection is lost."""

    def close(self, link: Link) -> None:
        """Close a link's connection, if it has one."""


class Sessions:
    """The sessions of one replica."""

    def __init__(self, metadata: wire.Metadata, peers: Peers, transport: Transport) -> None:
        self.pending: deque[Job] = deque()
        #: Set by whatever may have moved the time that upkeep() returned.
        self.needs_upkeep = True
        self._metadata_frames = wire.encode_metadata(metadata)
        self._peers = peers
        self._transport = transport
        self._links: set[Link] = set()
        self._accepted: dict[str, Link] = {}
        self._goodbye_at: Optional[float] = None
        self._problems = _Problems()
        self._logged_peers: set[str] = set()

    # -- events ----------------------------------------------------------------------------------------------

    def received(self, link: Link, frames: Sequence[bytes], now: float) -> None:
        """Handle one message from the frontend at the other end of `link`."""
        if link.state is State.CLOSED:
            return
        try:
            message = wire.decode_from_frontend(frames)
        except wire.WireError as exc:
            self._give_up(link, f"sent a message that is not RPC: {exc}", now)
            return
        outcome = link.receive(message, now)
        if outcome is Outcome.REQUESTED:
            assert isinstance(message, wire.Request)
            left_micros = message.time_left_micros
            deadline = float("inf") if left_micros is None else now + left_micros / 1e6
            self.pending.append(Job(link, message, deadline))
        else:
            self._follow(link, message, outcome, now)

    def _follow(self, link: Link, message: wire.FromFrontend, outcome: Outcome, now: float) -> None:
        if outcome is Outcome.OFFERED:
            self._take_offer(link, now)
        elif outcome is Outcome.ACCEPTED:
            self._accept(link, now)
        elif outcome is Outcome.REFUSED:
            self._give_up(link, f"refused this replica: {link.reason}", now)
        elif outcome is Outcome.BROKEN:
            self._give_up(link, link.reason, now)
        if link.state is State.ACCEPTED and isinstance(message, wire.FrontendHeartbeat):
            self._hear_peers(link, message.peers or {})

    def disconnected(self, link: Link, reason: str, now: float) -> None:
        """Note that a link's connection was lost or could not be made."""
        if link.state is not State.CLOSED:
            self._give_up(link, reason, now)

    def _take_offer(self, link: Link, now: float) -> None:
        if any(other.frontend_id == link.frontend_id for other in self._links if other is not link):
            self._peers.doubled(link.address, now)
            self._close(link)
        else:
            self._transport.send(link, self._metadata_frames)
            link.sent_metadata(now)

    def _accept(self, link: Link, now: float) -> None:
        self._accepted[link.frontend_id] = link
        self._peers.accepted(link.address, now)
        self._problems.solved(link.address)
        self.needs_upkeep = True
        _LOG.info("query frontend %s at %s accepted this replica", link.frontend_id, link.address)

    def _hear_peers(self, link: Link, listed: dict[str, str]) -> None:
        if self._peers.heard(
            link.frontend_id, {i: a for i, a in listed.items() if self._can_be_dialled(i, a)}
        ):
            self.needs_upkeep = True

    def _can_be_dialled(self, peer_id: str, address: str) -> bool:
        try:
            parse_address(address)
        except ValueError as exc:
            if peer_id not in self._logged_peers:
                self._logged_peers.add(peer_id)
                _LOG.warning(
                    "query frontend %s advertises an address that cannot be dialled: %s; correct its "
                    "--advertise-rpc",
                    peer_id,
                    exc,
                )
            return False
        return True

    def _give_up(self, link: Link, reason: str, now: float) -> None:
        if self._accepted.get(link.frontend_id) is link:
            del self._accepted[link.frontend_id]
            self._peers.gone(link.frontend_id)
            if self._goodbye_at is None:
                _LOG.warning("lost query frontend %s at %s: %s", link.frontend_id, link.address, reason)
        else:
            self._peers.failed(link.address, now)
            self._problems.note(link.address, reason)
        self._close(link)

    def _close(self, link: Link) -> None:
        link.state = State.CLOSED
        self._links.discard(link)
        self._transport.close(link)
        self.needs_upkeep = True

    def next_job(self) -> Optional[Job]:
        """Return the oldest batch whose frontend is still connected, or None."""
        while self.pending:
            job = self.pending.popleft()
            if job.link.state is State.ACCEPTED:
                return job
        return None

    # -- work ------------------------------------------------------------------------------------------------

    def upkeep(self, now: float) -> float:
        """Dial, send heartbeats and give up overdue sessions; return the latest time for the next call."""
        self.needs_upkeep = False
        for link in list(self._links):
            reason = link.overdue(now)
            if reason:
                self._give_up(link, reason, now)
            elif link.heartbeat_is_due(now):
                self._send_heartbeat(link, now)
        if self._goodbye_at is None:
            for dial in self._peers.due(self._accepted, now):
                link = Link(dial.address, dial.attempt, now)
                self._links.add(link)
                self._transport.dial(link, wire.encode_hello())
        return self._next_due(now)

    def _next_due(self, now: float) -> float:
        due = min((link.next_due() for link in self._links), default=float("inf"))
        if self._goodbye_at is None:
            return min(due, self._peers.next_due(self._accepted))
        settled_at = self._goodbye_at + SETTLE_LIMIT_S
        return min(due, settled_at) if now < settled_at else due

    def answer(
        self, job: Job, outputs: Sequence[bytes], statuses: bytes, now: float, *, run_s: float = 0.0
    ) -> None:
        """Send the answer to a batch on which the model ran for `run_s`.

        If its link is lost, the answer is dropped, as the frontend has dropped the batch.
        """
        if job.link.state is State.ACCEPTED:
            run_micros = int(run_s * _MICROS_PER_S)
            answer = wire.Answer(job.request.message_id, outputs, statuses, run_micros)
            self._send(job.link, wire.encode_answer(answer), now)

    def _send(self, link: Link, frames: Sequence[bytes], now: float) -> None:
        self._transport.send(link, frames)
        link.sent(now)

    def _send_heartbeat(self, link: Link, now: float) -> None:
        self._transport.send(link, wire.encode_container_heartbeat())
        link.sent_heartbeat(now)

    # -- the end ---------------------------------------------------------------------------------------------

    def say_goodbye(self, now: float) -> None:
        """Ask every frontend to send no further batch, and begin no further session.

        A heartbeat follows, whose answer confirms that no batch is under way.
        """
        self._goodbye_at = now
        self.needs_upkeep = True
        for link in list(self._links):
            if link.state is State.HELLO_SENT:
                self._close(link)
                continue
            link.said_goodbye = True  # also in METADATA_SENT: the acceptance may be on its way
            self._send(link, wire.encode_goodbye(), now)
            self._send_heartbeat(link, now)

    def is_settled(self, now: float) -> bool:
        """Return whether, after say_goodbye(), no batch waits and no further one can come."""
        if self._goodbye_at is None or self.pending:
            return False
        return now >= self._goodbye_at + SETTLE_LIMIT_S or all(link.is_settled for link in self._links)

    def not_ready_reason(self) -> str:
        """Return why no batch can come; empty when a frontend has accepted this replica."""
        if self._goodbye_at is not None:
            return "draining"
        if self._accepted:
            return ""
        return f"no query frontend has accepted this replica{self._problems.latest}"


class _Problems:
    """The reasons why sessions did not come about, each logged once until its address works."""

    _MAX_NOTED = 256

    def __init__(self) -> None:
        self.latest = ""
        self._noted: set[tuple[str, str]] = set()

    def note(self, address: str, reason: str) -> None:
        self.latest = f"; {address}: {reason}"
        if (address, reason) in self._noted:
            return
        if len(self._noted) >= self._MAX_NOTED:
            self._noted.clear()
        self._noted.add((address, reason))
        _LOG.warning("query frontend at %s: %s; trying again", address, reason)

    def solved(self, address: str) -> None:
        self.latest = ""
        self._noted = {noted for noted in self._noted if noted[0] != address}

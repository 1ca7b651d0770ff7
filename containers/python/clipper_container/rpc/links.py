"""One session with one query frontend, as a state machine without I/O.

    hello sent --offer--> metadata sent --keepalive--> accepted --silence, refusal, anything odd--> closed

It defines the meaning of a message in each state, and when a session is overdue. Time is an argument (seconds
of one monotonic clock).
"""

from __future__ import annotations

import enum

from clipper_container.wire import SEND_METADATA, FromFrontend, FrontendHeartbeat, Refusal, Request

HEARTBEAT_INTERVAL_S = 2.0
SILENCE_LIMIT_S = 30.0
#: Name lookup, TCP connect, hello and metadata together.
HANDSHAKE_LIMIT_S = 10.0


class State(enum.Enum):
    """The state of a session."""

    HELLO_SENT = "waiting for a frontend to ask for metadata"
    METADATA_SENT = "waiting for a frontend to accept"
    ACCEPTED = "accepted"
    CLOSED = "closed"


class Outcome(enum.Enum):
    """The actions that a message asks of the owner of a session."""

    #: The frontend has given its id and waits for the metadata: send it, or close a duplicate session.
    OFFERED = enum.auto()
    ACCEPTED = enum.auto()
    HEARD = enum.auto()
    REQUESTED = enum.auto()
    #: `Link.reason` holds the reason.
    REFUSED = enum.auto()
    BROKEN = enum.auto()


class Link:
    """A session from its dialling to its end. `address` is the dialled address, as it was written."""

    def __init__(self, address: str, attempt: int, now: float) -> None:
        self.address = address
        self.attempt = attempt
        self.state = State.HELLO_SENT
        self.frontend_id = ""
        self.reason = ""
        self.said_goodbye = False
        self.is_settled = False
        self._opened_at = now
        self._heard_at = now
        self._sent_at = now
        self._unanswered_heartbeats = 0

    def receive(self, message: FromFrontend, now: float) -> Outcome:
        """Move to the state that `message` leads to, and return what the owner must do."""
        self._heard_at = now
        if isinstance(message, Request):
            if self.state is State.ACCEPTED:
                return Outcome.REQUESTED
            return self._broken("sent a batch before it accepted this replica")
        if isinstance(message, FrontendHeartbeat):
            return self._receive_heartbeat(message)
        return self._receive_refusal(message)

    def _receive_heartbeat(self, heartbeat: FrontendHeartbeat) -> Outcome:
        if not heartbeat.frontend_id or heartbeat.peers is None:
            return self._broken("speaks RPC version 3 only: this replica speaks version 4")
        if self.state is State.HELLO_SENT:
            self.frontend_id = heartbeat.frontend_id
            return Outcome.OFFERED
        if heartbeat.frontend_id != self.frontend_id:
            return self._broken(f"changed its id to {heartbeat.frontend_id}")
        asks_again = heartbeat.heartbeat_type == SEND_METADATA
        if self.state is State.METADATA_SENT:
            if asks_again:  # sent before the metadata had reached it
                return Outcome.HEARD
            self.state = State.ACCEPTED
            return Outcome.ACCEPTED
        self._unanswered_heartbeats = max(0, self._unanswered_heartbeats - 1)
        if self.said_goodbye:
            # Messages keep their order: when the heartbeat that followed the goodbye is answered, every batch
            # that the frontend sent before it read the goodbye has arrived.
            self.is_settled = self.is_settled or not self._unanswered_heartbeats
            return Outcome.HEARD
        return self._broken("no longer knows this replica") if asks_again else Outcome.HEARD

    def _receive_refusal(self, refusal: Refusal) -> Outcome:
        self.state = State.CLOSED
        self.reason = refusal.reason
        return Outcome.REFUSED

    def _broken(self, reason: str) -> Outcome:
        self.state = State.CLOSED
        self.reason = reason
        return Outcome.BROKEN

    def sent_metadata(self, now: float) -> None:
        """Note that the metadata was sent: the frontend's answer decides."""
        self.state = State.METADATA_SENT
        self.sent(now)

    def sent(self, now: float) -> None:
        """Note that a message was sent: a heartbeat is due only after a pause."""
        self._sent_at = now

    def sent_heartbeat(self, now: float) -> None:
        """Note that a heartbeat was sent, which the frontend answers."""
        self._unanswered_heartbeats += 1
        self.sent(now)

    def overdue(self, now: float) -> str:
        """Return why this session must be given up by now; empty if it need not be."""
        if self.state is State.ACCEPTED:
            return f"silent for {SILENCE_LIMIT_S:g} s" if now >= self._heard_at + SILENCE_LIMIT_S else ""
        return "no answer" if now >= self._opened_at + HANDSHAKE_LIMIT_S else ""

    def heartbeat_is_due(self, now: float) -> bool:
        """Return whether an accepted session has sent nothing for a heartbeat's interval."""
        return self.state is State.ACCEPTED and now >= self._sent_at + HEARTBEAT_INTERVAL_S

    def next_due(self) -> float:
        """Return when this session must be checked next, if no message arrives before."""
        if self.state is State.ACCEPTED:
            return min(self._heard_at + SILENCE_LIMIT_S, self._sent_at + HEARTBEAT_INTERVAL_S)
        return self._opened_at + HANDSHAKE_LIMIT_S

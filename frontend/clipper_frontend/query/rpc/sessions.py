"""Sessions of model containers with this query frontend, in both RPC versions. No socket, no clock.

Frames come in through received(), time through sweep(). Frames leave through `send`, which returns whether
the peer is still there. `predictions` hears which replicas came, answered and left; `changed` is called when
a replica came or left, or entered or left the rotation, and `seated` when the peer of a connection got a
session or lost it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from clipper_container import wire
from clipper_container.input_types import InputType
from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.query.prediction.predictions import Predictions
from clipper_frontend.query.prediction.replica import Replica
from clipper_frontend.query.prediction.version import OutgoingBatch, ServedVersion
from clipper_frontend.query.prediction.versions import Versions
from clipper_frontend.query.rpc.strangers import Strangers, is_introduction
from clipper_frontend.registry.names import check_id, check_name

logger = logging.getLogger("clipper.query.rpc")

#: A container that was silent for so long is dropped (Clipper's figure).
SILENCE_S = 30.0
#: Of what a peer wrote, a log line shows so many characters.
_MAX_SHOWN = 100
_MICROS_PER_S = 1_000_000

#: The number of a connection that is not known.
NO_CONNECTION = -1

SendFrames = Callable[[bytes, list[bytes]], bool]


class _Session:
    __slots__ = ("connection", "replica", "version")

    def __init__(self, replica: Replica, version: ServedVersion, connection: int) -> None:
        self.replica = replica
        self.version = version
        self.connection = connection


class Sessions:
    """The sessions of all connected containers, by the routing id of their connection."""

    def __init__(
        self,
        frontend_id: str,
        cluster_name: str,
        versions: Versions,
        predictions: Predictions,
        send: SendFrames,
        changed: Callable[[], None],
        seated: Callable[[int, bool], None],
    ) -> None:
        self._frontend_id = frontend_id
        self._cluster_name = cluster_name
        self._versions = versions
        self._predictions = predictions
        self._send = send
        self._changed = changed
        self._seated = seated
        self._sessions: dict[bytes, _Session] = {}
        #: The routing ids of peers that have a session now.
        self.members = self._sessions.keys()
        self._peers: dict[str, str] = {}
        self.strangers = Strangers()
        self.malformed_messages = 0
        self._heartbeat = wire.encode_v4_heartbeat(wire.KEEPALIVE, frontend_id, {})
        self._greeting = wire.encode_v4_heartbeat(wire.SEND_METADATA, frontend_id, {})

    def __len__(self) -> int:
        return len(self._sessions)

    # -- frames in -------------------------------------------------------------------------------------------

    def received(self, frames: list[bytes], now: float, connection: int = NO_CONNECTION) -> None:
        """Take one message; `frames` begin with the routing id of its sender.

        The number of its connection is asked for only if the sender has no session.
        """
        session = self._sessions.get(frames[0])
        if session is None:
            self._received_of_stranger(frames, now, connection)
            return
        try:
            message = wire.decode_from_container(frames[1:])
        except wire.WireError as exc:
            self._malformed(frames[0], exc, now)
            return
        session.replica.last_heard = now
        if isinstance(message, wire.Answer):
            self._answered(session, message, now)
        else:
            self._control(frames[0], session, message, now)

    def _received_of_stranger(self, frames: list[bytes], now: float, connection: int) -> None:
        identity = frames[0]
        if not self.strangers.admits(identity, now):
            self._log_of(identity, now, "sends more than a container without a session may: it is dropped")
            return
        message = None
        if is_introduction(frames):
            try:
                message = wire.decode_from_container(frames[1:])
            except wire.WireError as exc:
                self._malformed(identity, exc, now)
                return
        if isinstance(message, wire.Metadata):
            self._join(identity, message, now, connection)
        elif isinstance(message, wire.Hello) or frames[1]:
            self._send(identity, self._greeting)
        else:
            self._send(identity, wire.encode_v3_heartbeat(wire.SEND_METADATA))

    def _malformed(self, identity: bytes, problem: wire.WireError, now: float) -> None:
        self.malformed_messages += 1
        self._log_of(identity, now, f"sent a malformed message: {str(problem)[:_MAX_SHOWN]}")

    def _log_of(self, identity: bytes, now: float, what: str) -> None:
        """Log what a peer did; once a minute is enough."""
        if self.strangers.may_log(identity, now):
            logger.warning("%s %s", self._name(identity), what)

    def _answered(self, session: _Session, answer: wire.Answer, now: float) -> None:
        was_stalled = session.replica.stalled
        self._predictions.answered(session.version, session.replica, answer, now)
        if was_stalled:
            logger.info("replica %s answers again", session.replica.instance_id)
            self._changed()

    def _control(self, identity: bytes, session: _Session, message: wire.FromContainer, now: float) -> None:
        if isinstance(message, wire.Goodbye):
            self._drain(session, now)
        else:
            self._send(identity, self._heartbeat_for(session.replica))

    def _heartbeat_for(self, replica: Replica) -> list[bytes]:
        if replica.rpc_version == wire.V3:
            return wire.encode_v3_heartbeat(wire.KEEPALIVE)
        return self._heartbeat

    def _join(self, identity: bytes, metadata: wire.Metadata, now: float, connection: int) -> None:
        refusal = self._refusal(metadata)
        if refusal is not None:
            if self.strangers.may_log(identity, now):
                model = (metadata.model_name[:_MAX_SHOWN], metadata.model_version[:_MAX_SHOWN])
                logger.warning("refused a container of %s:%s: %s", *model, refusal)
            if metadata.rpc_version == wire.V4:
                self._send(identity, wire.encode_refusal(refusal))
            return
        instance_id = metadata.instance_id or f"v3-{self._frontend_id}-{identity.hex()}"
        input_type = InputType.from_code(metadata.input_type_code)
        replica = Replica(identity, instance_id, input_type, metadata.rpc_version, now)
        if not self._send(identity, self._heartbeat_for(replica)):
            return  # gone already, and the number of its connection may be another's by now
        self._replace_instance(instance_id, now)
        version = self._versions.get(metadata.model_name, metadata.model_version)
        self._sessions[identity] = _Session(replica, version, connection)
        self._seated(connection, True)
        logger.info("replica %s of %s:%s connected", instance_id, version.name, version.version)
        self._warn_of_v3(version, replica)
        self._predictions.joined(version, replica)
        self._changed()

    def _refusal(self, metadata: wire.Metadata) -> str | None:
        """Return why a container cannot serve here, or None if it can."""
        name, model_version = metadata.model_name, metadata.model_version
        try:
            check_id("cluster name", metadata.cluster)
            check_id("instance id", metadata.instance_id)
            check_name("model name", name)
            check_name("model version", model_version)
            input_type = InputType.from_code(metadata.input_type_code)
        except (RegistryRefusal, ValueError) as exc:
            return str(exc)
        if metadata.rpc_version == wire.V4 and metadata.cluster != self._cluster_name:
            return f"it belongs to cluster {metadata.cluster!r} and this is cluster {self._cluster_name!r}"
        version = self._versions.find((name, model_version))
        return None if version is None else self._mismatch(version, input_type)

    def _mismatch(self, version: ServedVersion, input_type: InputType) -> str | None:
        """Return why a replica for this input type cannot serve a version, or None if it can."""
        wanted = version.wanted_input_type
        if wanted is None or wanted is input_type:
            return None
        return f"it takes {input_type.value}, and {version.name}:{version.version} takes {wanted.value}"

    def _replace_instance(self, instance_id: str, now: float) -> None:
        for identity, session in list(self._sessions.items()):
            if session.replica.instance_id == instance_id:
                self._lose(identity, session, now, "its instance connected again")

    def _warn_of_v3(self, version: ServedVersion, replica: Replica) -> None:
        if replica.rpc_version == wire.V3 and len(self._peers) > 1:
            logger.warning(
                "%s:%s has a replica of RPC version 3 here, which reaches this query frontend alone: "
                "the other %d cannot use it. Rebuild its image with this project's runtime.",
                version.name,
                version.version,
                len(self._peers) - 1,
            )

    # -- frames out ------------------------------------------------------------------------------------------

    def send_batches(self, batches: Iterable[OutgoingBatch], now: float) -> None:
        """Send batches to their replicas; take out at once a replica that turns out to be gone."""
        for replica, message_id, predictions in batches:
            session = self._sessions.get(replica.identity)
            if session is None or session.replica is not replica:
                continue  # lost while an earlier batch was sent: its predictions are queued again
            code = replica.input_type_code
            payloads = [prediction.payload for prediction in predictions]
            if replica.rpc_version == wire.V3:
                frames = wire.encode_v3_request(message_id, code, payloads)
            else:
                latest = max(prediction.deadline for prediction in predictions)
                time_left_micros = int((latest - now) * _MICROS_PER_S)
                frames = wire.encode_v4_request(message_id, code, payloads, time_left_micros)
            if not self._send(replica.identity, frames):
                self._lose(replica.identity, session, now, "its connection was lost")

    def set_peers(self, peers: dict[str, str]) -> None:
        """Send the live query frontends, RPC addresses by id, to every container that understands them."""
        if peers == self._peers:
            return
        self._peers = dict(peers)
        self._heartbeat = wire.encode_v4_heartbeat(wire.KEEPALIVE, self._frontend_id, peers)
        self._greeting = wire.encode_v4_heartbeat(wire.SEND_METADATA, self._frontend_id, peers)
        for identity, session in list(self._sessions.items()):
            self._warn_of_v3(session.version, session.replica)
            if session.replica.rpc_version == wire.V4:
                self._send(identity, self._heartbeat)

    def revalidate(self, now: float) -> None:
        """Refuse the replicas of versions that were registered for another input type."""
        for identity, session in list(self._sessions.items()):
            refusal = self._mismatch(session.version, session.replica.input_type)
            if refusal is not None:
                if session.replica.rpc_version == wire.V4:
                    self._send(identity, wire.encode_refusal(refusal))
                self._lose(identity, session, now, refusal)

    def replicas(self) -> list[tuple[ServedVersion, Replica]]:
        """Return all replicas that are connected and not draining."""
        return [(s.version, s.replica) for s in self._sessions.values() if not s.replica.draining]

    # -- upkeep ----------------------------------------------------------------------------------------------

    def probe_all(self, now: float) -> None:
        """Find out which containers are gone, after a connection was closed."""
        for identity, session in list(self._sessions.items()):
            self._probe(identity, session, now)

    def sweep(self, now: float) -> None:
        """Drop silent containers, probe overdue ones, and purge predictions whose waiters have left."""
        for identity, session in list(self._sessions.items()):
            replica = session.replica
            if now - replica.last_heard > SILENCE_S:
                self._lose(identity, session, now, f"it was silent for {SILENCE_S:.0f} s")
            elif replica.overdue(now) and self._probe(identity, session, now):
                self._sideline_if_hanging(session, now)
        for version in self._versions:
            if version.queue:
                self._predictions.purge(version, now)

    def _sideline_if_hanging(self, session: _Session, now: float) -> None:
        replica = session.replica
        if replica.in_rotation and replica.hangs(now):
            logger.warning("replica %s hangs: it gets no query until it answers", replica.instance_id)
            self._predictions.stalled(session.version, replica, now)
            self._changed()

    def _probe(self, identity: bytes, session: _Session, now: float) -> bool:
        if self._send(identity, self._heartbeat_for(session.replica)):
            return True
        self._lose(identity, session, now, "its connection was lost")
        return False

    def _drain(self, session: _Session, now: float) -> None:
        if not session.replica.draining:
            session.replica.draining = True
            self.send_batches(self._predictions.leaving(session.version, session.replica, now), now)
            logger.info("replica %s says goodbye", session.replica.instance_id)
            self._changed()

    def _lose(self, identity: bytes, session: _Session, now: float, why: str) -> None:
        if self._sessions.pop(identity, None) is None:
            return
        self._seated(session.connection, False)
        level = logging.INFO if session.replica.draining else logging.WARNING
        replica, version = session.replica, session.version
        logger.log(
            level, "replica %s of %s:%s left: %s", replica.instance_id, version.name, version.version, why
        )
        self._predictions.lost(version, replica, now)
        self._versions.forget_if_idle(version)
        self._changed()

    def _name(self, identity: bytes) -> str:
        session = self._sessions.get(identity)
        return f"replica {session.replica.instance_id}" if session else f"an unknown peer ({identity.hex()})"

"""Version 4 of the RPC, except for the two messages that begin like version 3's."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from clipper_container.wire.messages import (
    CONTENT,
    HEARTBEAT,
    HEARTBEAT_BYTES,
    U32,
    V4,
    Answer,
    ContainerHeartbeat,
    Frames,
    FromContainer,
    FromFrontend,
    FrontendHeartbeat,
    Goodbye,
    Refusal,
    Request,
    WireError,
)

_GOODBYE = 3
_REFUSAL = 3
_ANSWER_HEAD = struct.Struct("<IIII")
_REQUEST_HEAD = struct.Struct("<IIIIIQ")
_HEARTBEAT_HEAD = struct.Struct("<III")
_MAX_TIME_LEFT_MICROS = 2**64 - 1
_MAX_U32 = 2**32 - 1


@lru_cache(maxsize=1024)
def _u32s(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


def encode_container_heartbeat() -> list[bytes]:
    """Return a version 4 container's heartbeat."""
    return [HEARTBEAT_BYTES]


def encode_goodbye() -> list[bytes]:
    """Return the message that announces that a container accepts no further batch."""
    return [U32.pack(_GOODBYE)]


def encode_answer(answer: Answer) -> list[bytes]:
    """Return a version 4 answer."""
    outputs = answer.outputs
    run_micros = min(answer.run_micros or 0, _MAX_U32)
    head = _ANSWER_HEAD.pack(CONTENT, answer.message_id, len(outputs), run_micros)
    sizes = _u32s(len(outputs)).pack(*map(len, outputs))
    return [head + sizes + answer.statuses, b"".join(outputs)]


def encode_v4_heartbeat(heartbeat_type: int, frontend_id: str, peers: dict[str, str]) -> list[bytes]:
    """Return a version 4 heartbeat; `peers` maps every live frontend's id to its RPC address."""
    listed = ",".join(f"{peer_id}={address}" for peer_id, address in sorted(peers.items()))
    head = _HEARTBEAT_HEAD.pack(V4, HEARTBEAT, heartbeat_type)
    return [head, frontend_id.encode(), listed.encode()]


def encode_v4_request(
    message_id: int, input_type_code: int, inputs: Sequence[bytes], time_left_micros: int
) -> list[bytes]:
    """Return a version 4 request: all inputs in one frame."""
    count = len(inputs)
    time_left_micros = min(max(time_left_micros, 0), _MAX_TIME_LEFT_MICROS)
    head = _REQUEST_HEAD.pack(V4, CONTENT, message_id, input_type_code, count, time_left_micros)
    return [head + _u32s(count).pack(*map(len, inputs)), b"".join(inputs)]


def encode_refusal(reason: str) -> list[bytes]:
    """Return the message that refuses a version 4 container."""
    return [U32.pack(V4) + U32.pack(_REFUSAL), reason.encode()]


def decode_v4_from_container(head: bytes, frames: Frames) -> FromContainer:
    (message_type,) = U32.unpack_from(head)
    if message_type == CONTENT:
        return _decode_v4_answer(head, frames[1])
    if message_type == HEARTBEAT:
        return ContainerHeartbeat()
    if message_type == _GOODBYE:
        return Goodbye()
    raise WireError(f"unknown message type {message_type} of RPC version 4")


def _decode_v4_answer(head: bytes, data: bytes) -> Answer:
    _, message_id, count, run_micros = _ANSWER_HEAD.unpack_from(head)
    statuses_at = _ANSWER_HEAD.size + 4 * count
    if len(head) != statuses_at + count:
        raise WireError(f"an answer of {count} outputs has a head of {len(head)} bytes")
    sizes = _u32s(count).unpack_from(head, _ANSWER_HEAD.size)
    return Answer(message_id, _split(data, sizes), head[statuses_at:], run_micros)


def decode_v4_from_frontend(frames: Frames) -> FromFrontend:
    head = frames[0]
    version, message_type = struct.unpack_from("<II", head)
    if version != V4:
        raise WireError(f"a frontend spoke RPC version {version}: this container speaks {V4}")
    if message_type == CONTENT:
        _, _, message_id, code, count, time_left_micros = _REQUEST_HEAD.unpack_from(head)
        if len(head) != _REQUEST_HEAD.size + 4 * count:
            raise WireError(f"a request of {count} inputs has a head of {len(head)} bytes")
        sizes = _u32s(count).unpack_from(head, _REQUEST_HEAD.size)
        return Request(message_id, code, _split(frames[1], sizes), time_left_micros)
    if message_type == HEARTBEAT:
        heartbeat_type = _HEARTBEAT_HEAD.unpack_from(head)[2]
        return FrontendHeartbeat(heartbeat_type, frames[1].decode(), _parse_peers(frames[2].decode()))
    if message_type == _REFUSAL:
        return Refusal(frames[1].decode())
    raise WireError(f"unknown message type {message_type} of RPC version 4")


def _split(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Split `data` into parts of these sizes, which must add up to its length."""
    ends = list(accumulate(sizes))
    if (ends[-1] if ends else 0) != len(data):
        raise WireError(f"{len(sizes)} parts announce {ends[-1] if ends else 0} bytes, {len(data)} arrived")
    return [data[end - size : end] for end, size in zip(ends, sizes)]


def _parse_peers(listed: str) -> dict[str, str]:
    peers = {}
    for item in filter(None, listed.split(",")):
        peer_id, separator, address = item.partition("=")
        if not separator or not peer_id or not address:
            raise WireError(f"peer {item!r} is not of the form id=address")
        peers[peer_id] = address
    return peers

"""The RPC wire format between query frontends and model containers, versions 3 and 4.

It turns messages into lists of frames and back, and refuses malformed messages with WireError. It does no I/O
and reads no clock. All integers are little-endian. `u32[n]` is n of them.

Version 3 is Clipper's and stays as it was. The frames of every version 3 message begin with an empty one.

    container -> frontend
      heartbeat   "" | u32 2
      metadata    "" | u32 0 | model name | model version | input type code, decimal text | u32 RPC version
      answer      "" | u32 1 | message id (4 bytes) | u64 header size | u64 n, u64[n] sizes | n output frames
    frontend -> container
      heartbeat   "" | u32 3 | u32 2 | u32 heartbeat type (0 keepalive, 1 send your metadata)
      request     "" | u32 3 | u32 1 | u32 message id | u32 0 | u64 header size
                  | u64 input type code, u64 n, u64[n] sizes in bytes | n input frames

Version 4 is spoken with a container whose first message, the hello, announces it. Only the hello and the
metadata keep version 3's opening; every other message has one head frame and at most two more frames, because
the number of frames is most of a batch's cost.

    container -> frontend
      hello       "" | u32 2 | u32 4
      metadata    version 3's metadata with RPC version 4 | cluster name | instance id
      heartbeat   u32 2
      answer      u32 1, u32 message id, u32 n, u32 microseconds that the model ran, u32[n] sizes,
                  u8[n] statuses | all outputs in a row
      goodbye     u32 3
    frontend -> container
      heartbeat   u32 4, u32 2, u32 heartbeat type | frontend id | peers: `id=address`, joined by commas
      request     u32 4, u32 1, u32 message id, u32 input type code, u32 n, u64 microseconds left,
                  u32[n] sizes | all inputs in a row
      refusal     u32 4, u32 3 | reason, UTF-8 text

The statuses of outputs: 0 the model's output, 1 the text of the error that the model raised on this input,
2 nothing, because the time left had passed before the input was run. The peers are all live query frontends,
the sender included, each with the address of its RPC port.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple, Optional, Union

V3 = 3
V4 = 4

STATUS_OK = 0
STATUS_MODEL_ERROR = 1
STATUS_TOO_LATE = 2

KEEPALIVE = 0
SEND_METADATA = 1

_METADATA = 0
_CONTENT = 1
_HEARTBEAT = 2
_GOODBYE = 3
_REFUSAL = 3

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_ANSWER_HEAD = struct.Struct("<IIII")
_REQUEST_HEAD = struct.Struct("<IIIIIQ")
_HEARTBEAT_HEAD = struct.Struct("<III")

_V3_BYTES = _U32.pack(V3)
_V4_BYTES = _U32.pack(V4)
_METADATA_BYTES = _U32.pack(_METADATA)
_CONTENT_BYTES = _U32.pack(_CONTENT)
_HEARTBEAT_BYTES = _U32.pack(_HEARTBEAT)
_PREDICT_BYTES = _U32.pack(0)
_MAX_TIME_LEFT_MICROS = 2**64 - 1
_MAX_U32 = 2**32 - 1

Frames = Sequence[bytes]


class WireError(ValueError):
    """The message does not follow the wire format."""


class Hello(NamedTuple):
    """A version 4 container's first message."""


class Metadata(NamedTuple):
    """The model that a container serves. `cluster` and `instance_id` are empty in version 3."""

    model_name: str
    model_version: str
    input_type_code: int
    rpc_version: int
    cluster: str
    instance_id: str


class ContainerHeartbeat(NamedTuple):
    """A container is alive."""


class Answer(NamedTuple):
    """A batch's outputs in input order; `statuses` has one byte for each. Version 3 has no `run_micros`."""

    message_id: int
    outputs: Sequence[bytes]
    statuses: bytes
    run_micros: Optional[int] = None


class Goodbye(NamedTuple):
    """A container accepts no further batch."""


class FrontendHeartbeat(NamedTuple):
    """A frontend is alive. In version 3 `frontend_id` is empty and `peers` is None."""

    heartbeat_type: int
    frontend_id: str
    peers: Optional[dict[str, str]]


class Request(NamedTuple):
    """A batch to predict; `time_left_micros` is None in version 3."""

    message_id: int
    input_type_code: int
    inputs: Sequence[bytes]
    time_left_micros: Optional[int]


class Refusal(NamedTuple):
    """A frontend does not accept this container."""

    reason: str


FromContainer = Union[Hello, Metadata, ContainerHeartbeat, Answer, Goodbye]
FromFrontend = Union[FrontendHeartbeat, Request, Refusal]


@lru_cache(maxsize=1024)
def _u32s(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


@lru_cache(maxsize=1024)
def _u64s(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}Q")


# -- container -> frontend ---------------------------------------------------------------------------------


def encode_hello() -> list[bytes]:
    """Return the first message of a version 4 container."""
    return [b"", _HEARTBEAT_BYTES, _V4_BYTES]


def encode_metadata(metadata: Metadata) -> list[bytes]:
    """Return the message that describes the model of a container."""
    frames = [
        b"",
        _METADATA_BYTES,
        metadata.model_name.encode(),
        metadata.model_version.encode(),
        str(metadata.input_type_code).encode(),
        _U32.pack(metadata.rpc_version),
    ]
    if metadata.rpc_version >= V4:
        frames += [metadata.cluster.encode(), metadata.instance_id.encode()]
    return frames


def encode_container_heartbeat() -> list[bytes]:
    """Return a version 4 container's heartbeat."""
    return [_HEARTBEAT_BYTES]


def encode_goodbye() -> list[bytes]:
    """Return the message that announces that a container accepts no further batch."""
    return [_U32.pack(_GOODBYE)]


def encode_answer(answer: Answer) -> list[bytes]:
    """Return a version 4 answer."""
    outputs = answer.outputs
    run_micros = min(answer.run_micros or 0, _MAX_U32)
    head = _ANSWER_HEAD.pack(_CONTENT, answer.message_id, len(outputs), run_micros)
    sizes = _u32s(len(outputs)).pack(*map(len, outputs))
    return [head + sizes + answer.statuses, b"".join(outputs)]


def decode_from_container(frames: Frames) -> FromContainer:
    """Return a container's message, of either version; `frames` are without the identity.

    Raises WireError if they are malformed.
    """
    try:
        head = frames[0]
        if head:
            return _decode_v4_from_container(head, frames)
        return _decode_v3_from_container(frames)
    except (IndexError, struct.error, UnicodeDecodeError) as exc:
        raise WireError(f"truncated or undecodable message of {len(frames)} frames: {exc}") from exc


def _decode_v4_from_container(head: bytes, frames: Frames) -> FromContainer:
    (message_type,) = _U32.unpack_from(head)
    if message_type == _CONTENT:
        return _decode_v4_answer(head, frames[1])
    if message_type == _HEARTBEAT:
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


def _decode_v3_from_container(frames: Frames) -> FromContainer:
    (message_type,) = _U32.unpack(frames[1])
    if message_type == _CONTENT:
        return _decode_v3_answer(frames)
    if message_type == _HEARTBEAT:
        return Hello() if len(frames) > 2 and frames[2] == _V4_BYTES else ContainerHeartbeat()
    if message_type == _METADATA:
        return _decode_metadata(frames)
    raise WireError(f"unknown message type {message_type} of RPC version 3")


def _decode_v3_answer(frames: Frames) -> Answer:
    (message_id,) = _U32.unpack(frames[2])
    (count,) = _U64.unpack_from(frames[4])
    outputs = frames[5:]
    # The sizes in the header may count characters or bytes; the size of each frame is reliable.
    if count != len(outputs):
        raise WireError(f"an answer announces {count} outputs and carries {len(outputs)}")
    return Answer(message_id, outputs, bytes(count))


def _decode_metadata(frames: Frames) -> Metadata:
    name, version, code_text = frames[2].decode(), frames[3].decode(), frames[4].decode()
    (rpc_version,) = _U32.unpack(frames[5])
    if not code_text.isascii() or not code_text.isdecimal() or len(code_text) > 9:
        raise WireError(f"input type code {code_text[:40]!r} is not a number")
    if rpc_version == V3:
        return Metadata(name, version, int(code_text), V3, "", "")
    if rpc_version == V4:
        return Metadata(name, version, int(code_text), V4, frames[6].decode(), frames[7].decode())
    raise WireError(f"RPC version {rpc_version} is not spoken here: use {V3} or {V4}")


# -- frontend -> container ---------------------------------------------------------------------------------


def encode_v3_heartbeat(heartbeat_type: int) -> list[bytes]:
    """Return a version 3 heartbeat."""
    return [b"", _V3_BYTES, _HEARTBEAT_BYTES, _U32.pack(heartbeat_type)]


def encode_v3_request(message_id: int, input_type_code: int, inputs: Sequence[bytes]) -> list[bytes]:
    """Return a version 3 request: a frame for each input."""
    count = len(inputs)
    header = _u64s(count + 2).pack(input_type_code, count, *map(len, inputs))
    return [
        b"",
        _V3_BYTES,
        _CONTENT_BYTES,
        _U32.pack(message_id),
        _PREDICT_BYTES,
        _U64.pack(len(header)),
        header,
        *inputs,
    ]


def encode_v4_heartbeat(heartbeat_type: int, frontend_id: str, peers: dict[str, str]) -> list[bytes]:
    """Return a version 4 heartbeat; `peers` maps every live frontend's id to its RPC address."""
    listed = ",".join(f"{peer_id}={address}" for peer_id, address in sorted(peers.items()))
    head = _HEARTBEAT_HEAD.pack(V4, _HEARTBEAT, heartbeat_type)
    return [head, frontend_id.encode(), listed.encode()]


def encode_v4_request(
    message_id: int, input_type_code: int, inputs: Sequence[bytes], time_left_micros: int
) -> list[bytes]:
    """Return a version 4 request: all inputs in one frame."""
    count = len(inputs)
    time_left_micros = min(max(time_left_micros, 0), _MAX_TIME_LEFT_MICROS)
    head = _REQUEST_HEAD.pack(V4, _CONTENT, message_id, input_type_code, count, time_left_micros)
    return [head + _u32s(count).pack(*map(len, inputs)), b"".join(inputs)]


def encode_refusal(reason: str) -> list[bytes]:
    """Return the message that refuses a version 4 container."""
    return [_U32.pack(V4) + _U32.pack(_REFUSAL), reason.encode()]


def decode_from_frontend(frames: Frames) -> FromFrontend:
    """Return a frontend's message, of either version. Raises WireError if it is malformed."""
    try:
        if frames[0]:
            return _decode_v4_from_frontend(frames)
        return _decode_v3_from_frontend(frames)
    except (IndexError, struct.error, UnicodeDecodeError) as exc:
        raise WireError(f"truncated or undecodable message of {len(frames)} frames: {exc}") from exc


def _decode_v4_from_frontend(frames: Frames) -> FromFrontend:
    head = frames[0]
    version, message_type = struct.unpack_from("<II", head)
    if version != V4:
        raise WireError(f"a frontend spoke RPC version {version}: this container speaks {V4}")
    if message_type == _CONTENT:
        _, _, message_id, code, count, time_left_micros = _REQUEST_HEAD.unpack_from(head)
        if len(head) != _REQUEST_HEAD.size + 4 * count:
            raise WireError(f"a request of {count} inputs has a head of {len(head)} bytes")
        sizes = _u32s(count).unpack_from(head, _REQUEST_HEAD.size)
        return Request(message_id, code, _split(frames[1], sizes), time_left_micros)
    if message_type == _HEARTBEAT:
        heartbeat_type = _HEARTBEAT_HEAD.unpack_from(head)[2]
        return FrontendHeartbeat(heartbeat_type, frames[1].decode(), _parse_peers(frames[2].decode()))
    if message_type == _REFUSAL:
        return Refusal(frames[1].decode())
    raise WireError(f"unknown message type {message_type} of RPC version 4")


def _decode_v3_from_frontend(frames: Frames) -> FromFrontend:
    (version,), (message_type,) = _U32.unpack(frames[1]), _U32.unpack(frames[2])
    if version != V3:
        raise WireError(f"a frontend spoke RPC version {version} in version 3's form")
    if message_type == _HEARTBEAT:
        return FrontendHeartbeat(_U32.unpack(frames[3])[0], "", None)
    if message_type == _CONTENT:
        (message_id,) = _U32.unpack(frames[3])
        code, count = struct.unpack_from("<QQ", frames[6])
        if count != len(frames) - 7:
            raise WireError(f"a request announces {count} inputs and carries {len(frames) - 7}")
        return Request(message_id, code, frames[7:], None)
    raise WireError(f"unknown message type {message_type} of RPC version 3")


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

"""Version 3 of the RPC, which is Clipper's, and the two messages of version 4 that begin like it.

Clipper's containers do not all keep to its table. Java and Scala send numbers in 8 bytes, of which the first
4 count. C++ and R send as many bytes of the input type code as the model version's text has: the digits that
they begin with count, and any bytes may follow.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import lru_cache

from clipper_container.wire.messages import (
    CONTENT,
    CONTENT_BYTES,
    HEARTBEAT,
    HEARTBEAT_BYTES,
    METADATA,
    METADATA_BYTES,
    U32,
    V3,
    V4,
    Answer,
    ContainerHeartbeat,
    Frames,
    FromContainer,
    FromFrontend,
    FrontendHeartbeat,
    Hello,
    Metadata,
    Request,
    WireError,
)

_V3_BYTES = U32.pack(V3)
_V4_BYTES = U32.pack(V4)
_PREDICT_BYTES = U32.pack(0)
_U64 = struct.Struct("<Q")
_LEADING_DIGITS = re.compile(rb"\s*([0-9]{1,9})(?![0-9])")


def encode_hello() -> list[bytes]:
    """Return the first message of a version 4 container."""
    return [b"", HEARTBEAT_BYTES, _V4_BYTES]


def encode_metadata(metadata: Metadata) -> list[bytes]:
    """Return the message that describes the model of a container."""
    frames = [
        b"",
        METADATA_BYTES,
        metadata.model_name.encode(),
        metadata.model_version.encode(),
        str(metadata.input_type_code).encode(),
        U32.pack(metadata.rpc_version),
    ]
    if metadata.rpc_version >= V4:
        frames += [metadata.cluster.encode(), metadata.instance_id.encode()]
    return frames


@lru_cache(maxsize=1024)
def _u64s(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}Q")


def encode_v3_heartbeat(heartbeat_type: int) -> list[bytes]:
    """Return a version 3 heartbeat."""
    return [b"", _V3_BYTES, HEARTBEAT_BYTES, U32.pack(heartbeat_type)]


def encode_v3_request(message_id: int, input_type_code: int, inputs: Sequence[bytes]) -> list[bytes]:
    """Return a version 3 request: a frame for each input."""
    count = len(inputs)
    header = _u64s(count + 2).pack(input_type_code, count, *map(len, inputs))
    return [
        b"",
        _V3_BYTES,
        CONTENT_BYTES,
        U32.pack(message_id),
        _PREDICT_BYTES,
        _U64.pack(len(header)),
        header,
        *inputs,
    ]


def decode_v3_from_container(frames: Frames) -> FromContainer:
    (message_type,) = U32.unpack_from(frames[1])
    if message_type == CONTENT:
        return _decode_v3_answer(frames)
    if message_type == HEARTBEAT:
        return Hello() if len(frames) > 2 and frames[2] == _V4_BYTES else ContainerHeartbeat()
    if message_type == METADATA:
        return _decode_metadata(frames)
    raise WireError(f"unknown message type {message_type} of RPC version 3")


def _decode_v3_answer(frames: Frames) -> Answer:
    (message_id,) = U32.unpack_from(frames[2])
    (count,) = _U64.unpack_from(frames[4])
    outputs = frames[5:]
    # The sizes in the header may count characters or bytes; the size of each frame is reliable.
    if count != len(outputs):
        raise WireError(f"an answer announces {count} outputs and carries {len(outputs)}")
    return Answer(message_id, outputs, bytes(count))


def _decode_metadata(frames: Frames) -> Metadata:
    name, version, code = frames[2].decode(), frames[3].decode(), _leading_number(frames[4])
    (rpc_version,) = U32.unpack_from(frames[5])
    if rpc_version == V3:
        return Metadata(name, version, code, V3, "", "")
    if rpc_version == V4:
        return Metadata(name, version, code, V4, frames[6].decode(), frames[7].decode())
    raise WireError(f"RPC version {rpc_version} is not spoken here: use {V3} or {V4}")


def _leading_number(text: bytes) -> int:
    """Return the number that `text` begins with, as C's stoi() reads it."""
    found = _LEADING_DIGITS.match(text)
    if found is None:
        raise WireError(f"input type code {text[:40]!r} does not begin with a number")
    return int(found[1])


def decode_v3_from_frontend(frames: Frames) -> FromFrontend:
    (version,), (message_type,) = U32.unpack(frames[1]), U32.unpack(frames[2])
    if version != V3:
        raise WireError(f"a frontend spoke RPC version {version} in version 3's form")
    if message_type == HEARTBEAT:
        return FrontendHeartbeat(U32.unpack(frames[3])[0], "", None)
    if message_type == CONTENT:
        (message_id,) = U32.unpack(frames[3])
        code, count = struct.unpack_from("<QQ", frames[6])
        if count != len(frames) - 7:
            raise WireError(f"a request announces {count} inputs and carries {len(frames) - 7}")
        return Request(message_id, code, frames[7:], None)
    raise WireError(f"unknown message type {message_type} of RPC version 3")

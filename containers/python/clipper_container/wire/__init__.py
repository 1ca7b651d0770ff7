"""The RPC wire format between query frontends and model containers, versions 3 and 4.

It turns messages into lists of frames and back, and refuses malformed messages with WireError. It does no I/O
and reads no clock. All integers are little-endian. `u32[n]` is n of them.

Version 3 is Clipper's and stays as it was. The frames of every version 3 message begin with an empty one.
Clipper's containers pad some fields with bytes that mean nothing: see `version3`.

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

from clipper_container.wire.messages import (
    KEEPALIVE,
    SEND_METADATA,
    STATUS_MODEL_ERROR,
    STATUS_OK,
    STATUS_TOO_LATE,
    V3,
    V4,
    Answer,
    ContainerHeartbeat,
    Frames,
    FromContainer,
    FromFrontend,
    FrontendHeartbeat,
    Goodbye,
    Hello,
    Metadata,
    Refusal,
    Request,
    WireError,
)
from clipper_container.wire.version3 import (
    decode_v3_from_container,
    decode_v3_from_frontend,
    encode_hello,
    encode_metadata,
    encode_v3_heartbeat,
    encode_v3_request,
)
from clipper_container.wire.version4 import (
    decode_v4_from_container,
    decode_v4_from_frontend,
    encode_answer,
    encode_container_heartbeat,
    encode_goodbye,
    encode_refusal,
    encode_v4_heartbeat,
    encode_v4_request,
)

__all__ = [
    "KEEPALIVE",
    "SEND_METADATA",
    "STATUS_MODEL_ERROR",
    "STATUS_OK",
    "STATUS_TOO_LATE",
    "V3",
    "V4",
    "Answer",
    "ContainerHeartbeat",
    "Frames",
    "FromContainer",
    "FromFrontend",
    "FrontendHeartbeat",
    "Goodbye",
    "Hello",
    "Metadata",
    "Refusal",
    "Request",
    "WireError",
    "decode_from_container",
    "decode_from_frontend",
    "encode_answer",
    "encode_container_heartbeat",
    "encode_goodbye",
    "encode_hello",
    "encode_metadata",
    "encode_refusal",
    "encode_v3_heartbeat",
    "encode_v3_request",
    "encode_v4_heartbeat",
    "encode_v4_request",
]


def decode_from_container(frames: Frames) -> FromContainer:
    """Return a container's message, of either version; `frames` are without the identity.

    Raises WireError if they are malformed.
    """
    try:
        head = frames[0]
        if head:
            return decode_v4_from_container(head, frames)
        return decode_v3_from_container(frames)
    except (IndexError, struct.error, UnicodeDecodeError) as exc:
        raise WireError(f"truncated or undecodable message of {len(frames)} frames: {exc}") from exc


def decode_from_frontend(frames: Frames) -> FromFrontend:
    """Return a frontend's message, of either version. Raises WireError if it is malformed."""
    try:
        if frames[0]:
            return decode_v4_from_frontend(frames)
        return decode_v3_from_frontend(frames)
    except (IndexError, struct.error, UnicodeDecodeError) as exc:
        raise WireError(f"truncated or undecodable message of {len(frames)} frames: {exc}") from exc

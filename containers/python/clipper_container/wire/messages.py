"""The messages of the RPC, as tuples, and the numbers that both versions share."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

V3 = 3
V4 = 4

STATUS_OK = 0
STATUS_MODEL_ERROR = 1
STATUS_TOO_LATE = 2

KEEPALIVE = 0
SEND_METADATA = 1

#: The types of messages.
METADATA = 0
CONTENT = 1
HEARTBEAT = 2

U32 = struct.Struct("<I")
METADATA_BYTES = U32.pack(METADATA)
CONTENT_BYTES = U32.pack(CONTENT)
HEARTBEAT_BYTES = U32.pack(HEARTBEAT)

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

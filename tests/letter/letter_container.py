"""A model container written to the letter of Clipper's RPC version 3, as one from outside this project.

Run as a script with Clipper's environment; CLIPPER_MODEL_PATH holds a `model.py` with `predict(inputs)`.
Imports nothing of this project.
"""

from __future__ import annotations

import os
import runpy
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zmq

RPC_VERSION = 3
NEW_CONTAINER = 0
CONTAINER_CONTENT = 1
HEARTBEAT = 2
REQUEST_METADATA = 1
HEARD_NOTHING_S = 5.0
RECONNECT_AFTER_S = 30.0

CODES = {"bytes": 0, "integers": 1, "floats": 2, "doubles": 3, "strings": 4}
DTYPES = {0: np.int8, 1: np.int32, 2: np.float32, 3: np.float64}
STRINGS = 4

Predict = Callable[[Any], Sequence[str]]


def u32(value: int) -> bytes:
    """Return four bytes, little-endian."""
    return struct.pack("<I", value)


def metadata(environment: dict[str, str]) -> list[bytes]:
    """Return the frames that announce the model of this container."""
    return [
        b"",
        u32(NEW_CONTAINER),
        environment["CLIPPER_MODEL_NAME"].encode(),
        environment["CLIPPER_MODEL_VERSION"].encode(),
        str(CODES[environment["CLIPPER_INPUT_TYPE"]]).encode(),
        u32(RPC_VERSION),
    ]


def parse_inputs(code: int, frames: list[bytes]) -> Any:
    """Return the model function's argument: strings, a matrix, or arrays if lengths differ."""
    if code == STRINGS:
        return [frame.decode() for frame in frames]
    if len({len(frame) for frame in frames}) == 1:
        return np.frombuffer(bytearray(b"".join(frames)), DTYPES[code]).reshape(len(frames), -1)
    return [np.frombuffer(bytearray(frame), DTYPES[code]) for frame in frames]


def answer(frames: list[bytes], predict: Predict) -> list[bytes]:
    """Return the frames that answer the prediction request in `frames`."""
    message_id, request_type, header_size, header = frames[3:7]
    assert struct.unpack("<I", request_type) == (0,)
    assert struct.unpack("<Q", header_size) == (len(header),)
    code, count = struct.unpack_from("<QQ", header)
    inputs = frames[7:]
    sizes = struct.unpack_from(f"<{count}Q", header, 16)
    assert list(sizes) == [len(frame) for frame in inputs]
    outputs = [output.encode() for output in predict(parse_inputs(code, inputs))]
    answer_header = struct.pack(f"<{count + 1}Q", count, *map(len, outputs))
    return [
        b"",
        u32(CONTAINER_CONTENT),
        message_id,
        struct.pack("<Q", len(answer_header)),
        answer_header,
        *outputs,
    ]


def serve_connection(socket: zmq.Socket[bytes], about_me: list[bytes], predict: Predict) -> None:
    """Answer over one connection until nothing was heard for 30 s."""
    socket.send_multipart([b"", u32(HEARTBEAT)])
    heard_s = time.monotonic()
    while time.monotonic() - heard_s < RECONNECT_AFTER_S:
        if not socket.poll(int(HEARD_NOTHING_S * 1000)):
            socket.send_multipart([b"", u32(HEARTBEAT)])
            continue
        frames = socket.recv_multipart()
        heard_s = time.monotonic()
        assert frames[:2] == [b"", u32(RPC_VERSION)]
        if frames[2] == u32(CONTAINER_CONTENT):
            socket.send_multipart(answer(frames, predict))
        elif frames[3] == u32(REQUEST_METADATA):
            socket.send_multipart(about_me)


def main() -> None:
    """Serve the model until the process is ended."""
    environment = dict(os.environ)
    model_path = Path(environment.get("CLIPPER_MODEL_PATH", "/model"))
    predict: Predict = runpy.run_path(str(model_path / "model.py"))["predict"]
    address = f"tcp://{environment['CLIPPER_IP']}:{environment.get('CLIPPER_PORT', '7000')}"
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    while True:
        with context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect(address)
            serve_connection(socket, metadata(environment), predict)


if __name__ == "__main__":
    main()

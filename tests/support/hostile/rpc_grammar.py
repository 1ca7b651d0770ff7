"""Messages of model containers as frames, of both versions: right ones, and ones with a fault."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

from clipper_container import wire
from clipper_container.wire import Metadata

Frames = list[bytes]

CLUSTER = "tests"
#: The model of containers that misbehave, which is registered, and ones that nobody has registered.
ROGUE_MODEL = "rogue"
DOUBLES = 3
_ODD_NAMES = (
    *("", ":", "a:b", "a,b", "\x1b[2J", "\n", "\r\nHTTP/1.1", "\x00", "\u202e", " ", "*", "[a]", "{}", "%s"),
    *("x" * 300, "y" * 100_000, "\u00e9\u0301", "QUERY_FRONTEND:", "..", "/", "sums", '"', "'", "\\"),
)
_NUMBERS = (0, 1, 2, 3, 4, 5, 7, 99, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
_MEGABYTE = 1 << 20


def u32(*values: int) -> bytes:
    """Return integers as four bytes each."""
    return struct.pack(f"<{len(values)}I", *values)


def metadata(version: int, instance_id: str, name: str = ROGUE_MODEL, code: int = DOUBLES) -> Frames:
    """Return the metadata of a container of one version."""
    cluster = CLUSTER if version == wire.V4 else ""
    return wire.encode_metadata(Metadata(name, "1", code, version, cluster, instance_id))


def answer(version: int, message_id: int, outputs: Sequence[bytes]) -> Frames:
    """Return the answer to a batch."""
    if version == wire.V4:
        return wire.encode_answer(wire.Answer(message_id, outputs, bytes(len(outputs)), 1))
    header = struct.pack(f"<{1 + len(outputs)}Q", len(outputs), *map(len, outputs))
    return [b"", u32(1), u32(message_id), struct.pack("<Q", len(header)), header, *outputs]


def any_message(rng: random.Random, instance_id: str) -> Frames:
    """Return a message that a container could send, or one that differs from it."""
    frames = rng.choice(_MAKERS)(rng, instance_id)
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        frames = rng.choice(_DAMAGES)(rng, frames)
    return frames


def _greeting(rng: random.Random, _instance_id: str) -> Frames:
    return rng.choice(
        (wire.encode_hello(), wire.encode_container_heartbeat(), [b"", u32(2)], [b"", u32(2), u32(3)])
    )


def _known(rng: random.Random, instance_id: str) -> Frames:
    return metadata(rng.choice((wire.V3, wire.V4)), instance_id)


def _oddly_named(rng: random.Random, instance_id: str) -> Frames:
    frames = metadata(rng.choice((wire.V3, wire.V4)), instance_id, name="unregistered")
    frames[rng.choice((2, 2, 3, 4, len(frames) - 1))] = rng.choice(_ODD_NAMES).encode()
    return frames


def _answer(rng: random.Random, _instance_id: str) -> Frames:
    outputs = [rng.randbytes(rng.choice((0, 1, 8, 1000))) for _ in range(rng.choice((0, 1, 2, 50)))]
    return answer(rng.choice((wire.V3, wire.V4)), rng.choice((*range(20), *_NUMBERS)), outputs)


def _goodbye(_rng: random.Random, _instance_id: str) -> Frames:
    return wire.encode_goodbye()


def _noise(rng: random.Random, _instance_id: str) -> Frames:
    return [rng.randbytes(rng.choice((0, 1, 3, 4, 8, 16, 40))) for _ in range(rng.randrange(1, 9))]


def _unknown_type(rng: random.Random, _instance_id: str) -> Frames:
    number = u32(rng.choice(_NUMBERS))
    return rng.choice(([b"", number], [number], [b"", number, number], [number, b""]))


Maker = Callable[[random.Random, str], Frames]
_MAKERS: tuple[Maker, ...] = (
    *(_greeting, _known, _oddly_named, _oddly_named, _answer, _answer, _goodbye, _noise, _unknown_type),
)


def _drop(rng: random.Random, frames: Frames) -> Frames:
    place = rng.randrange(len(frames))
    return frames[:place] + frames[place + 1 :] or [b""]


def _repeat(rng: random.Random, frames: Frames) -> Frames:
    place = rng.randrange(len(frames))
    return frames[:place] + [frames[place]] * rng.choice((2, 3, 1000)) + frames[place + 1 :]


def _lie(rng: random.Random, frames: Frames) -> Frames:
    """Replace a number in the longest of the frames that hold numbers."""
    place = max(range(len(frames)), key=lambda index: len(frames[index]) if len(frames[index]) < 400 else 0)
    frame = bytearray(frames[place])
    if len(frame) >= 4:
        struct.pack_into("<I", frame, 4 * rng.randrange(len(frame) // 4), rng.choice(_NUMBERS))
    return [*frames[:place], bytes(frame), *frames[place + 1 :]]


def _resize(rng: random.Random, frames: Frames) -> Frames:
    place = rng.randrange(len(frames))
    frame = frames[place]
    changed = rng.choice((frame[:-1], frame + b"\0", frame[: len(frame) // 2], frame * 2, b"z" * _MEGABYTE))
    return [*frames[:place], changed, *frames[place + 1 :]]


def _flip(rng: random.Random, frames: Frames) -> Frames:
    place = rng.randrange(len(frames))
    frame = bytearray(frames[place] or b"\0")
    frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
    return [*frames[:place], bytes(frame), *frames[place + 1 :]]


_DAMAGES: tuple[Callable[[random.Random, Frames], Frames], ...] = (_drop, _repeat, _lie, _resize, _flip)

#: A ZMTP 3 greeting without security, and the READY command of a DEALER.
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 32)
_READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


def any_bytes(rng: random.Random) -> bytes:
    """Return bytes for the RPC port that are no ZeroMQ, or not for long."""
    return rng.choice(
        (
            *(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\xff", _GREETING),
            *(_GREETING[:20], _GREETING + _READY[:9], _GREETING + _READY + b"\x02" + b"\x7f" + b"\xff" * 7),
            *(_GREETING + _READY + b"\x01\xff", _GREETING + _READY + rng.randbytes(300), rng.randbytes(500)),
            *(_GREETING + b"\x04\xff" + b"x" * 255, _GREETING + _READY + b"\x00\x00" * 1000),
        )
    )

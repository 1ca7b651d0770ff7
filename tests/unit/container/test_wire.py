"""The RPC wire format: every message decodes to itself, and malformed ones are refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clipper_container import wire
from clipper_container.wire import WireError
from tests.letter.new_containers import NEW_CONTAINERS

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ids = st.text("abcdefgh0123456789-", min_size=1, max_size=12)
payloads = st.lists(st.binary(max_size=40), max_size=20)
codes = st.integers(0, 4)


@st.composite
def answers(draw: st.DrawFn) -> wire.Answer:
    outputs = draw(payloads)
    statuses = draw(st.binary(min_size=len(outputs), max_size=len(outputs)))
    return wire.Answer(draw(u32), outputs, statuses, draw(u32))


def metadata(rpc_version: int) -> st.SearchStrategy[wire.Metadata]:
    mine = texts if rpc_version == wire.V4 else st.just("")
    return st.builds(wire.Metadata, texts, texts, st.integers(0, 10**9 - 1), st.just(rpc_version), mine, mine)


def test_hello_round_trip() -> None:
    assert wire.decode_from_container(wire.encode_hello()) == wire.Hello()


def test_container_heartbeat_round_trip() -> None:
    assert wire.decode_from_container(wire.encode_container_heartbeat()) == wire.ContainerHeartbeat()


def test_goodbye_round_trip() -> None:
    assert wire.decode_from_container(wire.encode_goodbye()) == wire.Goodbye()


@settings(max_examples=25, deadline=None)
@given(st.one_of(metadata(wire.V3), metadata(wire.V4)))
def test_metadata_round_trip(message: wire.Metadata) -> None:
    assert wire.decode_from_container(wire.encode_metadata(message)) == message


@settings(max_examples=25, deadline=None)
@given(answers())
def test_answer_round_trip(answer: wire.Answer) -> None:
    assert wire.decode_from_container(wire.encode_answer(answer)) == answer


@settings(max_examples=25, deadline=None)
@given(u32, codes, payloads)
def test_v3_request_round_trip(message_id: int, code: int, inputs: list[bytes]) -> None:
    frames = wire.encode_v3_request(message_id, code, inputs)
    assert wire.decode_from_frontend(frames) == wire.Request(message_id, code, inputs, None)


@settings(max_examples=25, deadline=None)
@given(u32, codes, payloads, u64)
def test_v4_request_round_trip(message_id: int, code: int, inputs: list[bytes], left: int) -> None:
    frames = wire.encode_v4_request(message_id, code, inputs, left)
    assert len(frames) == 2
    assert wire.decode_from_frontend(frames) == wire.Request(message_id, code, inputs, left)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([wire.KEEPALIVE, wire.SEND_METADATA]))
def test_v3_heartbeat_round_trip(heartbeat_type: int) -> None:
    frames = wire.encode_v3_heartbeat(heartbeat_type)
    assert wire.decode_from_frontend(frames) == wire.FrontendHeartbeat(heartbeat_type, "", None)


@settings(max_examples=25, deadline=None)
@given(u32, ids, st.dictionaries(ids, st.sampled_from(["10.0.0.1:7000", "[::1]:7000", "host.example:1"])))
def test_v4_heartbeat_round_trip(heartbeat_type: int, frontend_id: str, peers: dict[str, str]) -> None:
    frames = wire.encode_v4_heartbeat(heartbeat_type, frontend_id, peers)
    assert wire.decode_from_frontend(frames) == wire.FrontendHeartbeat(heartbeat_type, frontend_id, peers)


@settings(max_examples=25, deadline=None)
@given(texts)
def test_refusal_round_trip(reason: str) -> None:
    assert wire.decode_from_frontend(wire.encode_refusal(reason)) == wire.Refusal(reason)


def test_time_left_is_kept_within_its_field() -> None:
    for asked, told in ((-5, 0), (2**70, 2**64 - 1)):
        request = wire.decode_from_frontend(wire.encode_v4_request(1, 3, [], asked))
        assert isinstance(request, wire.Request)
        assert request.time_left_micros == told


def test_v3_answer_trusts_the_frames_and_not_the_header() -> None:
    wrong_sizes = struct.pack("<3Q", 2, 99, 99)
    frames = [
        b"",
        struct.pack("<I", 1),
        struct.pack("<I", 7),
        struct.pack("<Q", 24),
        wrong_sizes,
        b"a",
        "é".encode(),
    ]
    assert wire.decode_from_container(frames) == wire.Answer(7, [b"a", "é".encode()], b"\0\0")


# -- malformed messages ------------------------------------------------------------------------------------

# Random bytes seldom look like a message; frames that begin like one get further through the decoder.
_words = st.sampled_from([struct.pack("<I", n) for n in (0, 1, 2, 3, 4, 2**32 - 1)])
_frame = st.one_of(st.binary(max_size=40), st.lists(_words, max_size=8).map(b"".join), st.just(b""))
_frames = st.lists(_frame, max_size=9)


@settings(max_examples=25, deadline=None)
@given(_frames)
@example([])
@example([b"", struct.pack("<I", 1), b"1234", b"", struct.pack("<Q", 2**63)])
@example([struct.pack("<III", 1, 7, 2**32 - 1), b""])
def test_random_frames_from_a_container_raise_wire_errors_only(frames: list[bytes]) -> None:
    try:
        wire.decode_from_container(frames)
    except WireError:
        return


@settings(max_examples=25, deadline=None)
@given(_frames)
@example([])
@example([struct.pack("<IIIIIQ", 4, 1, 7, 3, 2**32 - 1, 0), b""])
@example([struct.pack("<III", 4, 2, 0), b"id", b"\xff"])
def test_random_frames_from_a_frontend_raise_wire_errors_only(frames: list[bytes]) -> None:
    try:
        wire.decode_from_frontend(frames)
    except WireError:
        return


@settings(max_examples=25, deadline=None)
@given(answers(), st.data())
def test_an_answer_cut_short_is_refused(answer: wire.Answer, data: st.DataObject) -> None:
    frames = wire.encode_answer(answer)
    which = data.draw(st.sampled_from([i for i, frame in enumerate(frames) if frame]))
    frames[which] = frames[which][:-1]
    with pytest.raises(WireError):
        wire.decode_from_container(frames)


@settings(max_examples=25, deadline=None)
@given(u32, payloads.filter(any), st.integers(0, 1))
def test_a_request_cut_short_is_refused(message_id: int, inputs: list[bytes], which: int) -> None:
    frames = wire.encode_v4_request(message_id, 3, inputs, 1)
    frames[which] = frames[which][:-1]
    with pytest.raises(WireError):
        wire.decode_from_frontend(frames)


# -- Clipper's own containers ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NEW_CONTAINERS)
def test_bytes_behind_a_number_in_a_containers_first_message_do_not_count(name: str) -> None:
    frames = NEW_CONTAINERS[name]
    expected = wire.Metadata("j", frames[3].decode(), 3, wire.V3, "", "")
    assert wire.decode_from_container(frames) == expected


def test_an_answer_whose_numbers_are_padded_is_read() -> None:
    frames = [
        b"",
        struct.pack("<Q", 1),
        struct.pack("<Q", 7),
        struct.pack("<Q", 16),
        struct.pack("<QQ", 1, 1),
    ]
    assert wire.decode_from_container([*frames, b"4"]) == wire.Answer(7, [b"4"], b"\0")


@pytest.mark.parametrize("code", ["", "x", "-1", "²", "x3", "1" * 10, "1" * 5000])
def test_metadata_with_an_odd_type_code_is_refused(code: str) -> None:
    frames = [b"", struct.pack("<I", 0), b"m", b"1", code.encode(), struct.pack("<I", 3)]
    with pytest.raises(WireError, match="input type code"):
        wire.decode_from_container(frames)


@pytest.mark.parametrize("listed", ["a", "=x:1", "a=", "a=x:1,b"])
def test_a_malformed_list_of_peers_is_refused(listed: str) -> None:
    frames = [struct.pack("<III", 4, 2, 0), b"id", listed.encode()]
    with pytest.raises(WireError, match="id=address"):
        wire.decode_from_frontend(frames)


def test_an_unknown_rpc_version_is_refused() -> None:
    with pytest.raises(WireError, match="speaks 4"):
        wire.decode_from_frontend([struct.pack("<II", 9, 1)])

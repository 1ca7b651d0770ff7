"""Look-ups in the bytes of a head."""

from __future__ import annotations

import pytest

from clipper_frontend.codings import takes_gzip
from clipper_frontend.query.http import heads
from clipper_frontend.query.http.heads import Head

HEAD = (
    b"POST /a?b HTTP/1.1\r\nHost: x\r\n"
    b"CONTENT-length:  12\r\nExpect: 100-Continue\r\nX-Content-Length: 7\r\n\r\n"
)


def test_the_facts_of_a_head() -> None:
    assert heads.read(HEAD) == Head(b"1.1", 1, 12)
    assert heads.expects_continue(HEAD)
    coded = HEAD.replace(
        b"Host: x", b"HOST: x\r\nContent-Encoding: GZip \r\nORIGIN: https://a.example\r\nhost: y"
    )
    assert heads.read(coded) == Head(b"1.1", 2, 12, coding=b"gzip", origin=b"https://a.example")
    chunked = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Encoding: identity\r\n\r\n"
    assert heads.read(chunked) == Head(b"1.0", 0, is_chunked=True)
    assert heads.read(b"garbage\r\n\r\n") == Head(b"", 0)


def test_missing_headers() -> None:
    head = b"POST /content-length:5 HTTP/1.1\r\nX: content-length: 5\r\nX-Expect: 100-continue\r\n\r\n"
    assert heads.read(head) == Head(b"1.1", 0)
    assert not heads.expects_continue(head)
    assert not heads.expects_continue(HEAD.replace(b"100-Continue", b"100-continue-not"))


@pytest.mark.parametrize(
    ("digits", "length"),
    [(b"0" * 5000 + b"7", 7), (b"0" * 5000, 0), (b"9" * 5000, heads.HUGE), (b"9" * 18, 10**18 - 1), (b"", 0)],
)
def test_a_length_of_any_number_of_digits_is_read(digits: bytes, length: int) -> None:
    assert heads.read(b"POST / HTTP/1.1\r\nContent-Length: " + digits + b"\r\n\r\n").content_length == length


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        (b"gzip", True),
        (b"deflate, gzip;q=1.0, *;q=0.5", True),
        (b"br;q=1.0, x-gzip", True),
        (b"*", True),
        (b"", False),
        (b"br", False),
        (b"gzip;q=0", False),
        (b"*, gzip;q=0.0", False),
        (b"notgzip, gzip-not", False),
        (b"gzip;q=1.0.0", False),
    ],
)
def test_weights_decide_whether_the_client_takes_gzip(accepted: bytes, takes: bool) -> None:
    assert takes_gzip(accepted) is takes


def test_upgrade_is_left_out_and_the_body_kept() -> None:
    head = HEAD.replace(b"Host: x", b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked")
    assert heads.without_upgrade(head, b"POST", b"/a?b", "1.1") == (
        b"POST /a?b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        b"CONTENT-length:  12\r\nExpect: 100-Continue\r\n\r\n"
    )


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_the_end_does_not_depend_on_where_the_head_is_cut(cut: int) -> None:
    assert heads.end_in(HEAD[:cut], HEAD[cut:] + b"body\r\n\r\n") == len(HEAD) - cut
    assert heads.end_in(b"", b"x" + HEAD + b"body\r\n\r\n", 1) == len(HEAD) + 1
    assert heads.end_in(HEAD[:cut], HEAD[cut:-1]) == -1

"""Look-ups in the bytes of a head."""

from __future__ import annotations

import pytest

from clipper_frontend.query.http import heads

HEAD = (
    b"POST /a?b HTTP/1.1\r\nHost: x\r\n"
    b"CONTENT-length:  12\r\nExpect: 100-Continue\r\nX-Content-Length: 7\r\n\r\n"
)


def test_head_ends_where_the_body_begins() -> None:
    body = b"Content-Length: 99\r\n\r\n"
    assert heads.head_in(b"\r\n\r\n" + HEAD + body) == HEAD
    assert heads.content_length(HEAD) == 12
    assert heads.expects_continue(HEAD)


def test_missing_headers() -> None:
    head = b"POST /content-length:5 HTTP/1.1\r\nX: content-length: 5\r\nX-Expect: 100-continue\r\n\r\n"
    assert heads.content_length(head) == 0
    assert not heads.expects_continue(head)
    assert not heads.expects_continue(HEAD.replace(b"100-Continue", b"100-continue-not"))


def test_upgrade_is_left_out_and_the_body_kept() -> None:
    head = HEAD.replace(b"Host: x", b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked")
    assert heads.without_upgrade(head, b"POST", b"/a?b", "1.1") == (
        b"POST /a?b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
        b"CONTENT-length:  12\r\nExpect: 100-Continue\r\n\r\n"
    )


@pytest.mark.parametrize("cut", range(1, len(HEAD)))
def test_size_does_not_depend_on_where_the_head_is_cut(cut: int) -> None:
    assert heads.head_bytes_with(HEAD[:cut], HEAD[cut:] + b"body\r\n\r\n") == len(HEAD)
    assert heads.head_bytes_with(HEAD[:cut], HEAD[cut:-1]) == len(HEAD) - 1

"""The bodies of admin calls: what they accept, and how they refuse the rest."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.management import bodies
from clipper_frontend.management.bodies import BadBodyError, decode


def test_unknown_fields_are_passed_over() -> None:
    assert decode(b'{"name": "a", "more": [1]}', bodies.NamedApplication).name == "a"


def test_listings_are_not_verbose_by_default() -> None:
    assert decode(b"{}", bodies.Listing).verbose is False
    assert decode(b'{"verbose": true}', bodies.Listing).verbose is True


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not valid JSON"),
        (b'{"name": "a"', "not valid JSON"),
        (b'{"name": "\xc3"}', "not valid JSON"),
        (b'{"name": "\\ud800"}', "not valid JSON"),
        (b'{"name": NaN}', "not valid JSON"),
        (b'{"name": 1}', r"Expected `str`, got `int` - at `\$.name`"),
        (b'{"name": null}', r"Expected `str`, got `null` - at `\$.name`"),
        (b"{}", "missing required field `name`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"x": ' + b"[" * 50_000, "nested too deeply|not valid JSON"),
    ],
)
def test_a_bad_body_is_refused_with_the_reason(body: bytes, reason: str) -> None:
    with pytest.raises(BadBodyError, match=reason):
        decode(body, bodies.NamedApplication)


@given(st.binary())
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    try:
        decode(body, bodies.AddModel)
    except BadBodyError as exc:
        assert str(exc)


@given(st.text())
def test_texts_arrive_as_they_were_sent(text: str) -> None:
    try:
        sent = msgspec.json.encode({"name": text})
    except UnicodeEncodeError:
        return  # half a surrogate pair is not text that JSON can carry
    assert decode(sent, bodies.NamedApplication).name == text

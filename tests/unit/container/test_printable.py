"""The escaping of what others wrote: nothing that steers a terminal is left, and text stays as it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_container.logs import printable, printable_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202efed", r"abc\u202efed"),
        ("a\u2028b\x85c", r"a\u2028b\x85c"),
        ("\ud800", r"\ud800"),
        ("two\nlines\tof ümläute 日本 👩\u200d🔬", "two\nlines\tof ümläute 日本 👩\u200d🔬"),
    ],
)
def test_what_steers_a_terminal_is_escaped_and_text_stays(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_no_control_character_but_tab_and_line_feed_is_left(text: str) -> None:
    left = {character for character in printable(text) if unicodedata.category(character) in ("Cc", "Cs")}
    assert left <= {"\t", "\n"}


def test_a_progress_bar_becomes_lines() -> None:
    assert printable_lines("10%\r20%\r\ndone\n") == "10%\n20%\ndone\n"

"""Logs that are saved to files: escaped as they are where they are shown, however their bytes come."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipper_container.logs import printable_lines
from clipper_nomad.managers.disk.logs import save_log

LOG = "loading \x1b[31mred\x1b[0m\r100%\r\nValueError: \u202egnp ö 日本\x00\n".encode() + b"\xff\x9b2J\r"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_saved_log_is_escaped_wherever_its_parts_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.log"
    save_log(path, (LOG[start : start + size] for start in range(0, len(LOG), size)))
    assert path.read_bytes().decode() == printable_lines(LOG.decode(errors="replace"))


def test_a_saved_log_takes_the_place_of_an_older_one_and_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("older")
    save_log(path, [])
    assert path.read_text() == ""

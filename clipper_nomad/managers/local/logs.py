"""The log files of a cluster's processes: their last lines, their collection, their removal.

A log is NAME.log in the logs directory, with its rotated parts beside; NAME is the program's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

_LINE_BYTES = 400


def tail(path: Path, lines: int) -> str:
    """Return the last lines of a log; empty if there is none."""
    return "\n".join(tail_text(path, lines * _LINE_BYTES).splitlines()[-lines:])


def tail_text(path: Path, size_bytes: int) -> str:
    """Return the last `size_bytes` of a file as text; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size_bytes))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def collect(logs_dir: Path, target_dir: Path, prefix: str) -> list[Path]:
    """Copy each log, its rotated parts first, to `<target_dir>/<prefix><log>`; return the copies' paths."""
    target_dir.mkdir(parents=True, exist_ok=True)
    copies = []
    for log in sorted(logs_dir.glob("*.log")):
        copy = target_dir / f"{prefix}{log.name}"
        with copy.open("wb") as out:
            for part in _parts(log):
                with part.open("rb") as file:
                    shutil.copyfileobj(file, out)
        copies.append(copy)
    return copies


def remove(logs_dir: Path, names: Iterable[str]) -> None:
    """Delete the logs of these programs, rotated parts included."""
    for name in names:
        for part in _parts(logs_dir / f"{name}.log"):
            part.unlink(missing_ok=True)


def _parts(log: Path) -> list[Path]:
    """Return a log's files, the oldest first. supervisord numbers rotated ones from the newest."""
    rotated = [path for path in log.parent.glob(f"{log.name}.*") if path.suffix[1:].isdigit()]
    return [*sorted(rotated, key=lambda path: int(path.suffix[1:]), reverse=True), log]

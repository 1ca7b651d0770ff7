"""The log files of a cluster's processes: their last lines, their collection, their removal.

A log is NAME.log in the logs directory, with its rotated parts beside; NAME is the program's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from clipper_nomad.managers.disk.logs import save_log

_LINE_BYTES = 400
_READ_BYTES = 1024 * 1024


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
    """Copy each log, its rotated parts first, to `<target_dir>/<prefix><log>`; return the copies' paths.

    What could steer a terminal is escaped.
    """
    target_dir.mkdir(parents=True, exist_ok=True)
    copies = []
    for log in sorted(logs_dir.glob("*.log")):
        copy = target_dir / f"{prefix}{log.name}"
        save_log(copy, _read(_parts(log)))
        copies.append(copy)
    return copies


def remove(logs_dir: Path, names: Iterable[str]) -> None:
    """Delete the logs of these programs, rotated parts included."""
    for name in names:
        for part in _parts(logs_dir / f"{name}.log"):
            part.unlink(missing_ok=True)


def _read(paths: Iterable[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while part := file.read(_READ_BYTES):
                yield part


def _parts(log: Path) -> list[Path]:
    """Return a log's files, the oldest first. supervisord numbers rotated ones from the newest."""
    rotated = [path for path in log.parent.glob(f"{log.name}.*") if path.suffix[1:].isdigit()]
    return [*sorted(rotated, key=lambda path: int(path.suffix[1:]), reverse=True), log]

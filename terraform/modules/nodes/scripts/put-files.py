#!/usr/bin/env python3
"""Put files in place: those of the JSON on standard input, which has content, mode and owner by path.

Each file is replaced in one step, and is never readable by others meanwhile. If a part of the JSON is
invalid, nothing is written.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple


class File(NamedTuple):
    """A wanted file."""

    path: Path
    content: str
    mode: int
    user: int
    group: int


def main() -> None:
    """Put the files in place, or exit with the reason."""
    try:
        files = [parse(path, entry) for path, entry in json.load(sys.stdin).items()]
        if not files:
            raise ValueError("there is none")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        sys.exit(f"put-files: these are not the files of a node: {error!r}")
    for file in files:
        put(file)


def parse(path: str, entry: dict[str, Any]) -> File:
    """Return the file of an entry. Its user and group must exist on this machine."""
    if not Path(path).is_absolute():
        raise ValueError(f"the path {path} is not absolute")
    user, _, group = entry["owner"].partition(":")
    ids = pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid
    return File(Path(path), entry["content"], int(entry["mode"], 8), *ids)


def put(file: File) -> None:
    """Write a file beside its place, so that replacing what is there is one step."""
    make_folder(file)
    # Nobody but root reads it until it has its owner and mode.
    handle, name = tempfile.mkstemp(dir=file.path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write(file.content)
            new.flush()
            os.fsync(new.fileno())
        os.chown(name, file.user, file.group)
        Path(name).chmod(file.mode)
        Path(name).replace(file.path)
    finally:
        Path(name).unlink(missing_ok=True)


def make_folder(file: File) -> None:
    """Make the folder of a file if it is missing: as open as the file itself."""
    folder = file.path.parent
    if not folder.is_dir():
        folder.mkdir(parents=True)
        os.chown(folder, file.user, file.group)
        folder.chmod(0o755 if file.mode & 0o004 else 0o750)


if __name__ == "__main__":
    main()

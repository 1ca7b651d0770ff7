"""Files and directories of one user: nobody else may read them, and nobody else could have written them.

What the managers keep on disk is executed later: models are unpickled, packages imported.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Any

#: For subprocesses that write there.
UMASK = 0o077
_DIRECTORY_MODE = 0o700
_FILE_MODE = 0o600
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_ROOT = 0


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, for this user alone; an existing one stays as it is."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)


def open_private(path: Path, mode: str) -> IO[Any]:
    """Open a file, which is made for this user alone."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, _FILE_MODE))


def write_text(path: Path, text: str) -> None:
    """Write a file for this user alone."""
    with open_private(path, "w") as file:
        file.write(text)


def close_to_others(path: Path) -> None:
    """Take all rights of others on a directory and what is in it; its owner may read and write all of it."""
    for directory, _, files in os.walk(path):
        Path(directory).chmod(_DIRECTORY_MODE)
        for name in files:
            file = Path(directory) / name
            if not file.is_symlink():
                file.chmod(_FILE_MODE | (file.stat().st_mode & stat.S_IXUSR))


def find_distrust(path: Path) -> str:
    """Return why what is in a directory could be another user's, and what to do; empty if it cannot be."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ""
    me = os.geteuid()
    if found.st_uid not in (me, _ROOT):
        return (
            f"{path} belongs to the user with the id {found.st_uid}, and this is the user {me}: choose "
            f"another directory, or make it yours (`chown -R {me} {path}`) if you know all that is in it"
        )
    if found.st_mode & _WRITABLE_BY_OTHERS:
        return (
            f"{path} can be written by other users: if you know all that is in it, close it with "
            f"`chmod go-w {path}`; else choose another directory"
        )
    return ""

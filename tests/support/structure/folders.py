"""The files of this checkout that git would keep, and how many entries each folder has."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from pathlib import PurePosixPath

from tests.support.paths import REPOSITORY


def find_files(*folders: str) -> list[str]:
    """Return the files below folders of the checkout, or all, relative to it.

    What git ignores is left out, and so is what has been deleted.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout
    return [name for name in sorted(set(listed.split("\0")[:-1])) if (REPOSITORY / name).is_file()]


def find_entries() -> dict[PurePosixPath, set[str]]:
    """Return the names of the files and folders in each folder, relative to the checkout."""
    entries: dict[PurePosixPath, set[str]] = defaultdict(set)
    for path in map(PurePosixPath, find_files()):
        for entry in (path, *path.parents[:-1]):
            entries[entry.parent].add(entry.name)
    return entries

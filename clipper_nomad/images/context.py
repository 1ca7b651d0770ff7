"""Build contexts: tars that are equal, byte by byte, if their files are.

The builder compares modes and owners as well as content, so both are set here and not taken from the disk.
All files are readable by the user of the image.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clipper_nomad.errors import BuildError


class Context:
    """A build context that is being written into `file`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._archive = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)

    def add_files(self, files: Mapping[str, bytes]) -> None:
        """Add files by their names."""
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            self._archive.addfile(info, io.BytesIO(content))

    def add_folder(self, name: str, folder: Path) -> None:
        """Add a folder with its content; links are followed. Raises BuildError if it cannot be read."""
        try:
            self._add_folder(name, folder)
        except OSError as error:
            raise BuildError(f"Could not read the folder {folder} for an image: {error}") from error

    def finish(self) -> IO[bytes]:
        """Return the finished context, at its start."""
        self._archive.close()
        self._file.seek(0)
        return self._file

    def _add_folder(self, name: str, folder: Path) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        self._archive.addfile(info)
        for path in sorted(folder.iterdir()):
            add = self._add_folder if path.is_dir() else self._add_file
            add(f"{name}/{path.name}", path)

    def _add_file(self, name: str, path: Path) -> None:
        info = tarfile.TarInfo(name)
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            info.size, info.mode = found.st_size, 0o755 if found.st_mode & stat.S_IXUSR else 0o644
            self._archive.addfile(info, file)


@contextmanager
def new_context() -> Iterator[Context]:
    """Yield a context to add to, which exists until the block ends."""
    with tempfile.TemporaryFile(prefix="clipper-context-") as file:
        yield Context(file)

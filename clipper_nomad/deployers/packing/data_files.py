"""Files that travel beside modules: the data of local packages, and what the user names.

The data of a package are the files of its folder and of the folders below it that hold no modules: one with
modules is a package of its own, whose data travel if it is imported. Modules are not data: imports bring
them. What is hidden, a cache or too large is left out, and reported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from clipper_nomad.errors import ClipperException

_MIB = 1 << 20
#: Larger files, and more of all packages together, must be named.
MAX_FILE_BYTES = 64 * _MIB
MAX_ALL_BYTES = 256 * _MIB
_CACHES = frozenset({"__pycache__", "node_modules"})
_MODULE_SUFFIXES = frozenset({".py", ".pyc", ".pyo", ".pyi"})
HIDDEN, CACHE, LARGE, UNUSED = "hidden", "cache", "too large", "not imported"


@dataclass
class DataFiles:
    """Files by their paths beside the modules, and the paths that are left out, with the reasons."""

    found: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    size: int = 0

    def add(self, path: str, file: Path) -> None:
        """Add a file, or leave it out if it is too large."""
        size = file.stat().st_size
        if size > MAX_FILE_BYTES or self.size + size > MAX_ALL_BYTES:
            self.left_out[path] = LARGE
        else:
            self.found[path] = file
            self.size += size


def find_package_data(packages: Mapping[str, Iterable[Path]], modules: Iterable[str]) -> DataFiles:
    """Return the data of packages, given by name with their folders; `modules` are paths that travel."""
    data = DataFiles()
    taken = set(modules)
    for name, folders in sorted(packages.items()):
        for folder in folders:
            prefix = PurePosixPath(*name.split("."))
            for path, file in _walk(folder, prefix, data.left_out, enters_packages=False):
                if file.suffix not in _MODULE_SUFFIXES:
                    data.add(path, file)
                elif file.suffix == ".py" and path not in taken:
                    data.left_out[path] = UNUSED
    return data


def find_named_files(files: object) -> DataFiles:
    """Return the files and folders that the user names, by the paths that they have from here.

    One outside of the current directory has its name alone. Raises ClipperException.
    """
    if isinstance(files, str | os.PathLike) or not isinstance(files, Iterable):
        raise ClipperException(f"files is {files!r}: pass a list of paths of files and folders.")
    data = DataFiles()
    for given in files:
        path = _existing(given)
        target = _target(path)
        pairs = _walk(path, target, data.left_out) if path.is_dir() else [(str(target), path)]
        for name, file in pairs:
            other = data.found.setdefault(name, file)
            if not other.samefile(file):
                raise ClipperException(
                    f"files has {other} and {file}, which would both be {name}: rename one."
                )
    return data


def _existing(given: object) -> Path:
    if not isinstance(given, str | os.PathLike):
        raise ClipperException(f"files has {given!r}: use paths of files and folders.")
    path = Path(given).expanduser()
    if not path.exists():
        raise ClipperException(
            f"files has {str(given)!r}, which does not exist: give its path from {Path.cwd()}."
        )
    return path


def _target(path: Path) -> PurePosixPath:
    here = Path(os.path.abspath(path))  # noqa: PTH100 - links stay
    if here.is_relative_to(Path.cwd()) and here != Path.cwd():
        return PurePosixPath(here.relative_to(Path.cwd()))
    return PurePosixPath(here.name)


def _walk(
    folder: Path, prefix: PurePosixPath, left_out: dict[str, str], *, enters_packages: bool = True
) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder by their new paths; note what is left out."""
    for entry in sorted(folder.iterdir()):
        path = str(prefix / entry.name)
        if entry.name.startswith("."):
            left_out[path] = HIDDEN
        elif entry.name in _CACHES:
            left_out[path] = CACHE
        elif entry.is_dir():
            if enters_packages or not any(entry.glob("*.py")):
                yield from _walk(entry, prefix / entry.name, left_out, enters_packages=enters_packages)
        elif entry.is_file():
            yield path, entry

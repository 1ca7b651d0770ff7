"""A user's function as a model's folder, with the modules, packages and files that it needs."""

from __future__ import annotations

import logging
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipper_container.kinds.closure import CLIPPERS_PROTOCOL, Content, save_pickled
from clipper_nomad.deployers.packing.callables import check_callable
from clipper_nomad.deployers.packing.data_files import (
    LARGE,
    MAX_ALL_BYTES,
    MAX_FILE_BYTES,
    UNUSED,
    find_named_files,
    find_package_data,
)
from clipper_nomad.deployers.packing.edits import warn_edited
from clipper_nomad.deployers.packing.modules import Modules, collect_modules
from clipper_nomad.deployers.packing.named_modules import find_named_modules
from clipper_nomad.deployers.packing.packages import add_recorded_packages
from clipper_nomad.deployers.packing.references import find_references
from clipper_nomad.images.clippers import find_clippers_python

logger = logging.getLogger("clipper")

#: How many of the names that are left out for one reason are logged.
_MAX_LOGGED = 10
_REMEDIES = {
    LARGE: f", more than {MAX_FILE_BYTES >> 20} MiB, or {MAX_ALL_BYTES >> 20} MiB of all: name it in `files`",
    UNUSED: ": name it in `modules` if it is imported by its name",
}


@dataclass(frozen=True)
class PackedClosure:
    """A model's folder, and the packages to install for it."""

    folder: Path
    pkgs_to_install: Iterable[str] | None


@contextmanager
def packed_closure(
    func: Callable[[Any], Any],
    pkgs_to_install: Iterable[str] | None = None,
    *,
    base_image: str = "default",
    files: Iterable[str | Path] = (),
    modules: Iterable[object] = (),
) -> Iterator[PackedClosure]:
    """Yield a temporary folder that serves `func`, and its packages with `pkgs_to_install`.

    `files` and `modules` travel beside what `func` refers to. What is left out is logged. For an image of
    Clipper's the pickle is one that its containers read, and no packages are added, since nothing here
    installs them there.

    Raises ClipperException if `func` cannot be a model, or cannot be pickled, or what is named is not there.
    """
    check_callable(func)
    with tempfile.TemporaryDirectory(prefix="clipper-closure-") as folder:
        is_clippers = find_clippers_python(base_image) is not None
        protocol = CLIPPERS_PROTOCOL if is_clippers else None
        packages = pack(func, Path(folder), pkgs_to_install, files=files, modules=modules, protocol=protocol)
        yield PackedClosure(Path(folder), pkgs_to_install if is_clippers else packages)


def pack(
    obj: Any,
    folder: Path,
    pkgs_to_install: Iterable[str] | None = None,
    *,
    files: Iterable[str | Path] = (),
    modules: Iterable[object] = (),
    protocol: int | None = None,
) -> Iterable[str] | None:
    """Write a function, or what else travels by pickle, into `folder`; return the packages to install.

    `protocol` is the pickle's. The other arguments and the errors are those of packed_closure().
    """
    named = find_named_files(files)
    found = collect_modules(find_references(obj) | find_named_modules(modules))
    warn_edited(found.names)
    contents: dict[str, Content] = {**found.files, **_find_data(found, named.left_out), **named.found}
    save_pickled(obj, folder, contents, files=sorted(named.found), protocol=protocol)
    return add_recorded_packages(found.others, pkgs_to_install)


def _find_data(modules: Modules, left_out: Mapping[str, str]) -> Mapping[str, Path]:
    """Return the data files of local packages, and log what travels and what does not."""
    data = find_package_data(modules.packages, modules.files)
    if data.found:
        logger.info("Data files of local packages travel too: %s", _shorten(data.found))
    by_reason = defaultdict(list)
    for path, reason in {**data.left_out, **left_out}.items():
        by_reason[reason].append(path)
    for reason, paths in by_reason.items():
        level = logging.WARNING if reason == LARGE else logging.INFO
        logger.log(level, "Left out (%s%s): %s", reason, _REMEDIES.get(reason, ""), _shorten(paths))
    return data.found


def _shorten(paths: Iterable[str]) -> str:
    names = sorted(paths)
    more = f" and {len(names) - _MAX_LOGGED} more" if len(names) > _MAX_LOGGED else ""
    return ", ".join(names[:_MAX_LOGGED]) + more

"""A user's function as a model's folder, with the modules and packages that it needs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipper_container.kinds.closure import save_closure
from clipper_nomad.deployers.modules import collect_modules
from clipper_nomad.deployers.packages import add_recorded_packages
from clipper_nomad.deployers.references import find_references


@dataclass(frozen=True)
class PackedClosure:
    """A model's folder, and the packages to install for it."""

    folder: Path
    pkgs_to_install: Iterable[str] | None


@contextmanager
def packed_closure(
    func: Callable[[Any], Any], pkgs_to_install: Iterable[str] | None = None
) -> Iterator[PackedClosure]:
    """Yield a temporary folder that serves `func`, and its packages with `pkgs_to_install`.

    Raises ClipperException if `func` cannot be pickled.
    """
    modules = collect_modules(find_references(func))
    packages = add_recorded_packages(modules.others, pkgs_to_install)
    with tempfile.TemporaryDirectory(prefix="clipper-closure-") as folder:
        save_closure(func, Path(folder), modules.files)
        yield PackedClosure(Path(folder), packages)

"""A function of the user's as a model's folder, and what it needs from beside it: modules and packages.

Owns the folder for as long as it is built from. Knows neither clusters nor frameworks.
"""

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
    """A model's folder, and what is to be installed for it."""

    folder: Path
    pkgs_to_install: Iterable[str] | None


@contextmanager
def packed_closure(
    func: Callable[[Any], Any], pkgs_to_install: Iterable[str] | None = None
) -> Iterator[PackedClosure]:
    """Yield a temporary folder with all that serves `func`, and its packages beside `pkgs_to_install`.

    Raises ClipperException for what cannot be pickled.
    """
    modules = collect_modules(find_references(func))
    packages = add_recorded_packages(modules.others, pkgs_to_install)
    with tempfile.TemporaryDirectory(prefix="clipper-closure-") as folder:
        save_closure(func, Path(folder), modules.files)
        yield PackedClosure(Path(folder), packages)

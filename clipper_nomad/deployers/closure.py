"""A user's function as a model's folder, with the modules and packages that it needs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipper_container.kinds.closure import CLIPPERS_PROTOCOL, save_closure
from clipper_nomad.deployers.callables import check_callable
from clipper_nomad.deployers.modules import collect_modules
from clipper_nomad.deployers.packages import add_recorded_packages
from clipper_nomad.deployers.references import find_references
from clipper_nomad.images.clippers import find_clippers_python


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
) -> Iterator[PackedClosure]:
    """Yield a temporary folder that serves `func`, and its packages with `pkgs_to_install`.

    For an image of Clipper's the pickle is one that its containers read, and no packages are added, since
    nothing here installs them there.

    Raises ClipperException if `func` cannot be a model, or cannot be pickled.
    """
    check_callable(func)
    modules = collect_modules(find_references(func))
    is_clippers = find_clippers_python(base_image) is not None
    packages = pkgs_to_install if is_clippers else add_recorded_packages(modules.others, pkgs_to_install)
    protocol = CLIPPERS_PROTOCOL if is_clippers else None
    with tempfile.TemporaryDirectory(prefix="clipper-closure-") as folder:
        save_closure(func, Path(folder), modules.files, protocol=protocol)
        yield PackedClosure(Path(folder), packages)

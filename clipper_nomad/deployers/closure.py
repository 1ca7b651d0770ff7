"""A function of the user's as a model's folder: its pickle, and the modules that it needs from beside it.

Owns the folder for as long as it is built from. Knows neither clusters nor frameworks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipper_container.closure import save_closure
from clipper_nomad.deployers.modules import collect_modules
from clipper_nomad.deployers.references import find_references


@contextmanager
def packed_closure(func: Callable[[Any], Any]) -> Iterator[Path]:
    """Yield a temporary folder with all that serves `func`.

    Raises ClipperException for what cannot be pickled.
    """
    modules = collect_modules(find_references(func))
    with tempfile.TemporaryDirectory(prefix="clipper-closure-") as folder:
        save_closure(func, Path(folder), modules)
        yield Path(folder)

"""Modules that the user names, since no reference shows them: those that are imported by a computed name."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.machinery import SOURCE_SUFFIXES
from pathlib import Path
from types import ModuleType

from clipper_nomad.deployers.packing.modules import find_module
from clipper_nomad.errors import ClipperException


def find_named_modules(modules: object) -> set[str]:
    """Return the names of these modules, and for a package those of all modules in it.

    Raises ClipperException for what is no module, or cannot be found.
    """
    if isinstance(modules, str | ModuleType) or not isinstance(modules, Iterable):
        raise ClipperException(f"modules is {modules!r}: pass a list of modules or of their names.")
    found: set[str] = set()
    for module in modules:
        name = module.__name__ if isinstance(module, ModuleType) else module
        spec = find_module(name) if isinstance(name, str) and name else None
        if spec is None:
            raise ClipperException(
                f"modules has {module!r}, which cannot be found here: name modules as `import` does."
            )
        found.add(spec.name)
        for folder in spec.submodule_search_locations or ():
            found |= _find_submodules(Path(folder), spec.name)
    return found


def _find_submodules(folder: Path, package: str) -> set[str]:
    found: set[str] = set()
    for entry in folder.iterdir():
        name = f"{package}.{entry.name.partition('.')[0]}"
        if entry.is_dir() and entry.name.isidentifier() and entry.name != "__pycache__":
            found |= {name, *_find_submodules(entry, name)}
        elif entry.suffix in SOURCE_SUFFIXES and entry.stem not in ("__init__", "__main__"):
            found.add(name)
    return found

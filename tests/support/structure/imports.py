"""Circles of imports in this project, between modules and between the rooms of a package.

Imports for types alone count as well.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

import grimp

PACKAGES = ("clipper_nomad", "clipper_frontend", "clipper_container")


@functools.cache
def build_graph(*packages: str) -> grimp.ImportGraph:
    """Return all imports between the modules of these packages."""
    return grimp.build_graph(*packages, exclude_type_checking_imports=False, cache_dir=None)


def imports_of_modules(graph: grimp.ImportGraph) -> dict[str, set[str]]:
    """Return the modules that each module imports."""
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def imports_of_rooms(graph: grimp.ImportGraph, package: str) -> dict[str, set[str]]:
    """Return which rooms (the packages and modules right below `package`) each of them imports."""
    rooms: dict[str, set[str]] = {}
    for importer, imported in imports_of_modules(graph).items():
        if room := _room(importer, package):
            found = {_room(each, package) for each in imported}
            rooms.setdefault(room, set()).update(each for each in found if each and each != room)
    return rooms


def _room(module: str, package: str) -> str:
    return module.removeprefix(f"{package}.").partition(".")[0] if module.startswith(f"{package}.") else ""


def find_circle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the modules of a circle, the first one at both ends; empty if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []

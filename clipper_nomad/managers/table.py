"""The table of managers: those of this project and those that other packages bring, by name.

A package brings a manager by an entry point of the group `clipper_nomad.managers`, named as users write it
after `--manager` and leading to its class, a `ContainerManager` with a `from_cli()`. This project's own
managers are such entry points too (pyproject.toml); no other package can take their names.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.base import ContainerManager

ENTRY_POINT_GROUP: Final = "clipper_nomad.managers"
#: The first of the choices.
DEFAULT_MANAGER: Final = "local"
_DISTRIBUTION: Final = "clipper-nomad"


def manager_names() -> list[str]:
    """Return the names of all managers: this project's, then those of other packages."""
    return list(_entry_points())


def find_manager(name: str) -> type[ContainerManager]:
    """Return a manager's class by its name.

    Raises ContainerManagerError, naming the choices, for an unknown name, and for a manager that cannot be
    loaded.
    """
    point = _entry_points().get(name)
    if not _entry_points():
        raise ContainerManagerError(f"The installed {_DISTRIBUTION} lists no managers: install it again.")
    if point is None:
        raise ContainerManagerError(f"There is no manager {name!r}: use one of {', '.join(manager_names())}.")
    return _load(point)


@functools.cache
def _entry_points() -> Mapping[str, EntryPoint]:
    # An editable install can be on the path twice.
    found = {(point.name, point.value): point for point in entry_points(group=ENTRY_POINT_GROUP)}.values()
    own = {point.name: point for point in sorted(found, key=_rank) if _is_own(point)}
    others = [point for point in sorted(found, key=_rank) if point.name not in own]
    return own | {point.name: point for point in others}


def _rank(point: EntryPoint) -> tuple[bool, str]:
    return point.name != DEFAULT_MANAGER, point.name


def _is_own(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == _DISTRIBUTION


def _load(point: EntryPoint) -> type[ContainerManager]:
    try:
        found = point.load()
    except (ImportError, AttributeError) as error:
        raise ContainerManagerError(
            f"Could not load the manager {point.name!r} ({point.value}): {error}. Install what it needs, or "
            "remove the package that brings it."
        ) from error
    refusal = f"Cannot use the manager {point.name!r}: {point.value}"
    if not (isinstance(found, type) and issubclass(found, ContainerManager)):
        raise ContainerManagerError(f"{refusal} is not a subclass of ContainerManager.")
    if missing := sorted(found.__abstractmethods__):
        raise ContainerManagerError(f"{refusal} does not implement {', '.join(missing)}.")
    return found

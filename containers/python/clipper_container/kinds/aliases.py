"""The names of the admin library that model code may import in a replica, where the library is missing.

They are `clipper_nomad.metrics`, and `ClipperException` in `clipper_nomad` and `clipper_nomad.errors`; for
functions that Clipper's admin library saved, the same in `clipper_admin`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from clipper_container import errors, metrics

#: The libraries, and what a replica has of each.
_LIBRARIES: Mapping[str, Mapping[str, ModuleType]] = MappingProxyType(
    {
        "clipper_nomad": {"metrics": metrics, "errors": errors},
        "clipper_admin": {"metrics": metrics, "exceptions": errors},
    }
)


def provide_library_names() -> None:
    """Let `import clipper_nomad.metrics` and the like work; an installed library is left alone."""
    for name, modules in _LIBRARIES.items():
        if name not in sys.modules and not _is_installed(name):
            _provide(name, modules)


def _provide(name: str, modules: Mapping[str, ModuleType]) -> None:
    library = ModuleType(name, "What a replica has of an admin library.")
    library.__path__ = []  # a package without other modules
    for inner, module in modules.items():
        setattr(library, inner, module)
        sys.modules[f"{name}.{inner}"] = module
    library.ClipperException = errors.ClipperException  # type: ignore[attr-defined]
    sys.modules[name] = library


def _is_installed(name: str) -> bool:
    """Return whether the library is there; a folder of its name without code is not."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None

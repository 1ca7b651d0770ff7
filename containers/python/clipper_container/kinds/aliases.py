"""The names of the admin library that model code may import in a replica, where the library is missing.

They are `clipper_nomad.metrics` and `ClipperException`, in `clipper_nomad` and `clipper_nomad.errors`.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from clipper_container import errors, metrics

_LIBRARY = "clipper_nomad"


def provide_library_names() -> None:
    """Let `import clipper_nomad.metrics` work; an installed admin library is left alone."""
    if _LIBRARY in sys.modules or _is_installed():
        return
    library = ModuleType(_LIBRARY, "What a replica has of the admin library.")
    library.__path__ = []  # a package without other modules
    for name, module in (("metrics", metrics), ("errors", errors)):
        setattr(library, name, module)
        sys.modules[f"{_LIBRARY}.{name}"] = module
    library.ClipperException = errors.ClipperException  # type: ignore[attr-defined]
    sys.modules[_LIBRARY] = library


def _is_installed() -> bool:
    """Return whether the library is there; a folder of its name without code is not."""
    spec = importlib.util.find_spec(_LIBRARY)
    return spec is not None and spec.origin is not None

"""The module `__main__` of a replica: the names of the script or notebook that the model comes from.

Pickle looks them up there, for multiprocessing among others. A process that multiprocessing starts without
forking gets them from the model's folder (spawned.py).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType

#: The name of `__main__` while multiprocessing makes it anew, and the module that it then runs.
MP_MAIN = "__mp_main__"
_SPAWNED = "clipper_container.kinds.spawned"
#: The modules that were `__main__` before: their names stay in use.
_replaced: list[ModuleType] = []


class ScriptModule(ModuleType):
    """A `__main__` that has the user's names, and none of this program's."""


def become_script() -> None:
    """Replace this process's `__main__` with an empty one, which install_names() fills."""
    script = ScriptModule("__main__")
    script.__spec__ = ModuleSpec(_SPAWNED, None)
    _replaced.append(sys.modules["__main__"])
    sys.modules["__main__"] = script


def is_script() -> bool:
    """Return whether this process serves one model, or was started by one that does."""
    return isinstance(sys.modules["__main__"], ScriptModule) or MP_MAIN in sys.modules


def install_names(names: Mapping[str, object]) -> None:
    """Let `__main__` have these names, if this process serves one model."""
    main = sys.modules["__main__"]
    if isinstance(main, ScriptModule):
        vars(main).update(names)

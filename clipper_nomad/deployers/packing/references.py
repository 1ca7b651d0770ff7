"""The modules that a function's pickle refers to, and the reason why a function cannot be pickled.

A pickler without output visits every object that would go into the pickle.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from clipper_container.kinds.pickling import Pickler
from clipper_nomad.deployers.packing.faults import explain_fault
from clipper_nomad.deployers.packing.imports import find_imports_in_code
from clipper_nomad.errors import ClipperException


def find_references(func: Any) -> set[str]:
    """Return the names of the modules that the pickle of `func` refers to or that its functions import.

    Raises ClipperException, naming the object at fault as its author does, if it cannot be pickled.
    """
    recorder = _Recorder()
    if reason := recorder.try_pickling(func):
        raise ClipperException(
            explain_fault(func, reason, lambda part: _Recorder().try_pickling(part))
        ) from reason
    return recorder.modules


class _Discarded:
    """A file that keeps nothing, since models may be large."""

    def write(self, data: bytes | pickle.PickleBuffer) -> int:
        # A large array comes as a buffer, which has no length of its own.
        return memoryview(data).nbytes


class _Recorder(Pickler):
    """Pickles into nothing, and records the modules of all objects."""

    def __init__(self) -> None:
        super().__init__(_Discarded())
        self.modules: set[str] = set()

    def try_pickling(self, obj: object) -> Exception | None:
        """Visit all that the pickle of `obj` would hold, and return why there cannot be one."""
        try:
            self.dump(obj)
        except Exception as reason:  # noqa: BLE001 - the user's objects may raise anything
            return reason
        return None

    def persistent_id(self, obj: object) -> None:
        """Record the object about to be pickled, and return None, so that the pickler goes on."""
        if isinstance(obj, ModuleType):
            self.modules.add(obj.__name__)
        elif callable(obj):
            self._record_callable(obj)

    def _record_callable(self, obj: Callable[..., Any]) -> None:
        module = getattr(obj, "__module__", None)
        if isinstance(module, str) and not _travels_by_value(obj):
            self.modules.add(module)
        if isinstance(obj, FunctionType):
            package = obj.__globals__.get("__package__") or ""
            self.modules |= find_imports_in_code(obj.__code__, package)


def _travels_by_value(obj: Callable[..., Any]) -> bool:
    """Return whether the pickle holds a function or class itself, not the name of its module."""
    qualname = getattr(obj, "__qualname__", "")
    return isinstance(qualname, str) and ("<locals>" in qualname or "<lambda>" in qualname)

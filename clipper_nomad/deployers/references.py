"""The modules that a function's pickle refers to, and the reason why a function cannot be pickled.

A pickler without output visits every object that would go into the pickle.
"""

from __future__ import annotations

import functools
import inspect
import pickle
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any

import cloudpickle

from clipper_nomad.deployers.imports import find_imports_in_code
from clipper_nomad.errors import ClipperException


def find_references(func: Callable[..., Any]) -> set[str]:
    """Return the names of the modules that the pickle of `func` refers to or that its functions import.

    Raises ClipperException, naming the object at fault, if it cannot be pickled.
    """
    if not callable(func):
        raise ClipperException(
            f"The model is {func!r}, which is not callable: pass a function, a bound method or the like."
        )
    recorder = _Recorder()
    try:
        recorder.dump(func)
    except Exception as exc:
        raise ClipperException(_explain(func, exc)) from exc
    return recorder.modules


class _Discarded:
    """A file that keeps nothing, since models may be large."""

    def write(self, data: bytes | pickle.PickleBuffer) -> int:
        # A large array comes as a buffer, which has no length of its own.
        return memoryview(data).nbytes


class _Recorder(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles into nothing, and records the modules of all objects."""

    def __init__(self) -> None:
        super().__init__(_Discarded())
        self.modules: set[str] = set()

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


def _explain(func: Callable[..., Any], exc: Exception) -> str:
    for name, part in _find_parts(func).items():
        try:
            _Recorder().dump(part)
        except Exception as reason:  # noqa: BLE001 - as above
            kind = f"{type(part).__module__}.{type(part).__qualname__}"
            return (
                f"{_describe(func)} cannot be pickled, since it refers to `{name}`, a {kind}: {reason}. "
                "Create it inside of the function, or leave it out."
            )
    return f"{_describe(func)} cannot be pickled: {type(exc).__name__}: {exc}"


def _describe(func: Callable[..., Any]) -> str:
    return f"Function {getattr(func, '__qualname__', repr(func))}"


def _find_parts(func: Callable[..., Any]) -> Mapping[str, object]:
    """Return the objects that a callable refers to, by the names that its author uses."""
    if isinstance(func, functools.partial):
        arguments = {f"argument {number}": value for number, value in enumerate(func.args)}
        return {**_find_parts(func.func), **arguments, **func.keywords}
    if isinstance(func, MethodType):
        return {f"self.{name}": value for name, value in _find_attributes(func.__self__).items()}
    if isinstance(func, FunctionType):
        found = inspect.getclosurevars(func)
        return {**found.globals, **found.nonlocals}
    return {f"self.{name}": value for name, value in _find_attributes(func).items()}


def _find_attributes(obj: object) -> Mapping[str, object]:
    return getattr(obj, "__dict__", {})

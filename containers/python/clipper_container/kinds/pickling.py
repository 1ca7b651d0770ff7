"""Pickles of users' functions: those of cloudpickle, and by value also what it leaves by name in `__main__`.

A pickle refers to most functions by a module and a name. In a replica the user's script or notebook is not
`__main__`, so all that belongs to it travels by value: functions and classes, as cloudpickle does it, and
here also caches (`functools.lru_cache`), single dispatch, cached properties, and objects that reduce to their
name, such as `typing.NewType`.

The same script gives the same bytes in another process, so that the same deployment again is known as such.

A file holds two pickles: the function, and the names of `__main__` that it needs. They share one memo, so an
object is the same in both. A reader of the first alone, such as Clipper's containers, gets the function.
"""

from __future__ import annotations

import copyreg
import functools
import io
import pickle
import re
import sys
from collections.abc import Iterable, Mapping
from types import CodeType, FunctionType
from typing import IO, Any, Callable, Optional

import cloudpickle

MAIN = "__main__"
_CACHE = type(functools.lru_cache(maxsize=None)(len))
#: The code that all functions made by singledispatch share.
_DISPATCHING_CODE = functools.singledispatch(len).__code__  # type: ignore[attr-defined]
#: How cloudpickle makes classes, and the ids that it gives them.
_MAKERS = (cloudpickle.cloudpickle._make_skeleton_class, cloudpickle.cloudpickle._make_skeleton_enum)
_RANDOM_ID = re.compile("[0-9a-f]{32}")
#: The folder of a notebook's cells.
_KERNEL = re.compile(r"ipykernel_\d+")
#: Types that are made of a name alone; older versions of Python lack some.
_MADE_OF_NAME = frozenset({"ParamSpec", "TypeVarTuple"})


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles by value what belongs to `__main__`; `main_names` are the names found there."""

    def __init__(self, file: Any, protocol: Optional[int] = None) -> None:
        super().__init__(file, protocol=protocol)
        self.main_names: dict[str, object] = {}
        self._names = _find_names(vars(sys.modules[MAIN]))

    def reducer_override(self, obj: Any) -> Any:
        """Return how to make `obj` anew, or leave it to cloudpickle."""
        if isinstance(obj, CodeType):
            return self.dispatch_table[CodeType](_without_process_id(obj))
        name = self._names.get(id(obj))
        if isinstance(obj, (type, FunctionType, _CACHE)):
            if name is not None and _is_named(obj, name):
                self.main_names[name] = obj
            return self._reduce_callable(obj)
        if type(obj) is functools.cached_property:
            return _reduce_cached_property(obj)
        if type(obj) is functools.singledispatchmethod:
            return functools.singledispatchmethod, (obj.func,), *_registering(obj.dispatcher.registry)
        if name is not None and type(obj) not in self.dispatch_table:
            return self._reduce_named(obj, name)
        return super().reducer_override(obj)

    def _reduce_callable(self, obj: Any) -> Any:
        if isinstance(obj, _CACHE) and not _is_importable(obj):
            return _reduce_cache(obj)
        if isinstance(obj, FunctionType) and obj.__code__ is _DISPATCHING_CODE and not _is_importable(obj):
            return _reduce_dispatching(obj)
        return _without_tracker(super().reducer_override(obj))

    def _reduce_named(self, obj: Any, name: str) -> Any:
        """Return how to make an object of the script anew, even if it reduces to its name."""
        reduced = obj.__reduce_ex__(self.proto)
        if not isinstance(reduced, str) or pickle.whichmodule(obj, reduced) != MAIN:  # type: ignore[attr-defined]
            return reduced
        if reduced == name:
            self.main_names[name] = obj
        if type(obj).__name__ in _MADE_OF_NAME:
            return type(obj), (obj.__name__,)
        return copyreg.__newobj__, (type(obj),), dict(getattr(obj, "__dict__", {}))  # type: ignore[attr-defined]


def dump_function(func: Callable[..., Any], file: IO[bytes], protocol: Optional[int] = None) -> None:
    """Write `func` and its names of `__main__`. Raises what pickling raises."""
    pickler = Pickler(file, protocol)
    pickler.dump(func)
    pickler.dump(dict(pickler.main_names))


def load_function(pickled: bytes) -> tuple[Any, dict[str, Any]]:
    """Return a function with its names of `__main__`: none if others than dump_function() pickled it."""
    file = io.BytesIO(pickled)
    unpickler = pickle.Unpickler(file)
    function = unpickler.load()
    if file.tell() == len(pickled):
        return function, {}
    return function, unpickler.load()


def copy_function(func: Callable[..., Any]) -> Any:
    """Return what a replica would make of `func`. Raises what pickling raises."""
    file = io.BytesIO()
    dump_function(func, file)
    return load_function(file.getvalue())[0]


def find_script_globals(functions: Iterable[object]) -> Optional[dict[str, Any]]:
    """Return the namespace of the script that these functions come from: they share it once unpickled."""
    for each in functions:
        inner = getattr(each, "__func__", each)
        if isinstance(inner, FunctionType) and inner.__globals__.get("__name__") == MAIN:
            return inner.__globals__
    return None


def _find_names(main: Mapping[str, object]) -> dict[int, str]:
    """Return the names of `__main__` by their values' ids; of several, the one that pickle looks up."""
    found: dict[int, str] = {}
    for name, value in main.items():
        if id(value) not in found or _is_named(value, name):
            found[id(value)] = name
    return found


def _is_named(obj: Any, name: str) -> bool:
    """Return whether pickle looks `obj` up by `name` in `__main__`."""
    if not isinstance(obj, (type, FunctionType, _CACHE)):
        return False
    return getattr(obj, "__qualname__", None) == name and getattr(obj, "__module__", None) == MAIN


def _is_importable(obj: Any) -> bool:
    """Return whether a replica finds `obj` by its module and name."""
    module = getattr(obj, "__module__", None)
    found: Any = sys.modules.get(module) if module and module != MAIN else None
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def _without_process_id(code: CodeType) -> CodeType:
    """Return the code of a notebook's cell as if its file had no process id in its path."""
    return code.replace(co_filename=_KERNEL.sub("ipykernel", code.co_filename))


def _without_tracker(reduced: Any) -> Any:
    """Return how cloudpickle makes a class, without the random id by which it would find it again."""
    if not isinstance(reduced, tuple) or reduced[0] not in _MAKERS:
        return reduced
    make, arguments, *state = reduced
    return (make, tuple(None if _is_random_id(each) else each for each in arguments), *state)


def _is_random_id(value: object) -> bool:
    return isinstance(value, str) and _RANDOM_ID.fullmatch(value) is not None


def _reduce_cache(cache: Any) -> Any:
    """Return an empty cache around the same function."""
    parameters = cache.cache_parameters()
    information = type(cache.cache_info())
    arguments = (cache.__wrapped__, parameters["maxsize"], parameters["typed"], information)
    return _CACHE, arguments, dict(vars(cache))


def _reduce_cached_property(found: Any) -> Any:
    """Return the property without its lock, which Python 3.11 and older give it."""
    state = {name: value for name, value in vars(found).items() if name != "lock"}
    return functools.cached_property, (found.func,), state


def _reduce_dispatching(func: Any) -> Any:
    return functools.singledispatch, (func.registry[object],), *_registering(func.registry)


def _registering(registry: Mapping[type, object]) -> tuple[Any, ...]:
    """Return the rest of how to make what has this registry: without its caches, which are weak."""
    return dict(registry), None, None, _register_all


def _make_registering() -> Callable[[Any, Any], None]:
    """Return a function that is pickled by value: not every reader of the pickle has this module."""

    def register_all(func: Any, registry: Any) -> None:
        for kind, implementation in registry.items():
            func.register(kind, implementation)

    return register_all


_register_all = _make_registering()

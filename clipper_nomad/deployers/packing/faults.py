"""The part of a model that cannot be pickled, by the names that its author gave it, and what to do about it.

The search goes through what is the author's own: functions and what they refer to, objects and classes of the
script and of local modules, lists and dicts. It never looks into the objects of a package, whose parts the
author does not know.
"""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import packages_distributions
from types import CodeType, FunctionType, GeneratorType, MethodType
from typing import Any

from clipper_nomad.deployers.packing.callables import describe_callable

Parts = Iterator[tuple[str, object]]
TryPickling = Callable[[object], Exception | None]

_GLOBAL_NAMES = ("LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL")
_SHELLS = frozenset({"IPython", "ipykernel"})
#: Modules whose objects are open connections and files.
_OPENED = frozenset({"_io", "socket", "sqlite3", "ssl", "psycopg", "psycopg2", "redis"})


def explain_fault(func: Callable[..., Any], reason: Exception, try_pickling: TryPickling) -> str:
    """Return why `func` cannot be pickled, given the `reason` of the whole."""
    chain: list[str] = []
    path, value, seen = "", func, {id(func)}
    while found := _find_failing(path, value, seen, try_pickling):
        if isinstance(value, FunctionType | functools._lru_cache_wrapper) and path:
            chain.append(path)
        path, value, reason = found
    if not path:
        return f"{describe_callable(func)} cannot be pickled: {type(reason).__name__}: {reason}"
    names = ", which refers to ".join(f"`{name}`" for name in (*chain, path))
    return (
        f"{describe_callable(func)} cannot be pickled, since it refers to {names}, {_describe(value)}: "
        f"{str(reason).rstrip('.')}. {_advise(path, value)}"
    )


def _find_failing(
    path: str, value: object, seen: set[int], try_pickling: TryPickling
) -> tuple[str, Any, Exception] | None:
    """Return the first part of `value` that cannot be pickled: its path, itself, and the reason."""
    for name, part in _find_parts(path, value):
        if id(part) in seen:
            continue
        seen.add(id(part))
        if reason := try_pickling(part):
            return name, part, reason
    return None


def _find_parts(path: str, value: Any) -> Parts:
    """Yield what the author's own object refers to, by the path that the author would write."""
    if isinstance(value, functools.partial):
        yield from _find_parts(path, value.func)
        yield from ((f"argument {number}", part) for number, part in enumerate(value.args))
        yield from value.keywords.items()
    elif isinstance(value, FunctionType):
        yield from _find_parts_of_function(value)
    elif isinstance(value, functools._lru_cache_wrapper):
        yield from _find_parts(path, value.__wrapped__)
    elif isinstance(value, MethodType):
        if _is_own(value.__self__):
            yield from _find_attributes(path or "self", value.__self__)
            yield from _find_parts(path, value.__func__)
    elif isinstance(value, Mapping):
        yield from ((f"{path}[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"{path}[{index}]", part) for index, part in enumerate(value))
    elif _is_own(value):
        yield from _find_attributes(path or "self", value)


def _find_parts_of_function(func: FunctionType) -> Parts:
    names = dict.fromkeys(_find_global_names(func.__code__))
    yield from ((name, func.__globals__[name]) for name in names if name in func.__globals__)
    for name, cell in zip(func.__code__.co_freevars, func.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:
            # It has no value yet.
            continue
    arguments = func.__code__.co_varnames[: func.__code__.co_argcount]
    defaults = func.__defaults__ or ()
    yield from zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
    yield from (func.__kwdefaults__ or {}).items()
    yield from getattr(func, "registry", {}).items()


def _find_global_names(code: CodeType) -> Iterator[str]:
    """Yield the global names that a function and the functions inside it use."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBAL_NAMES:
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _find_global_names(constant)


def _find_attributes(path: str, value: object) -> Parts:
    """Yield the attributes of a class, or those of an object and then of its class."""
    if isinstance(value, type):
        for name, attribute in vars(value).items():
            inner = getattr(attribute, "__func__", getattr(attribute, "fget", None))
            yield f"{value.__name__}.{name}", inner if isinstance(inner, FunctionType) else attribute
        return
    slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    found = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    found.update(getattr(value, "__dict__", {}))
    yield from ((f"{path}.{name}", part) for name, part in found.items())
    yield type(value).__name__, type(value)


def _is_own(value: object) -> bool:
    """Return whether an object's class, or a class, is the author's: neither Python's nor a package's."""
    kind = value if isinstance(value, type) else type(value)
    top_level = kind.__module__.partition(".")[0]
    foreign = sys.stdlib_module_names | _installed() | _SHELLS
    return top_level not in foreign


@functools.cache
def _installed() -> frozenset[str]:
    return frozenset(packages_distributions())


def _describe(value: object) -> str:
    if _is_shell(value):
        return "the notebook shell"
    if isinstance(value, FunctionType | type):
        return "a function" if isinstance(value, FunctionType) else "a class"
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _advise(path: str, value: object) -> str:
    if _is_shell(value):
        return "Only the notebook has it: leave magics (`%…`, `!…`) and get_ipython() out of the function."
    if isinstance(value, GeneratorType):
        return "Make a list of it."
    if type(value).__module__.partition(".")[0] in _OPENED:
        return "Open it inside of the function, or leave it out."
    if "." in path:
        return "Create it when it is first used, inside of the function, or leave it out in __getstate__()."
    return "Create it inside of the function, or leave it out."


def _is_shell(value: object) -> bool:
    held = getattr(value, "__self__", value)
    return type(held).__module__.partition(".")[0] in _SHELLS

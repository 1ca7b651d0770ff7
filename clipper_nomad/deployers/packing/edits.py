"""Modules that differ from their files: replicas import them as they are on disk.

Most were edited after they were imported here. A module differs if one of its functions, or a number or text
that its source assigns, is another one in memory.
"""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from types import CodeType, FunctionType, ModuleType

from clipper_nomad.errors import ClipperWarning


def warn_edited(names: Iterable[str]) -> None:
    """Warn of each of these modules that differs from its file."""
    for name in sorted(names):
        if (module := sys.modules.get(name)) and (what := _find_edit(module)):
            warnings.warn(
                f"Module {name} is another one here than on disk: `{what}` differs. Replicas get what is on "
                "disk. If you edited it, import it anew with importlib.reload() or restart the kernel, so "
                "that what you try here is what is served.",
                ClipperWarning,
                stacklevel=2,
            )


def _find_edit(module: ModuleType) -> str | None:
    """Return what differs between a module in memory and its file; None if nothing does."""
    loader = getattr(module.__spec__, "loader", None)
    # Other loaders, such as pytest's, change the code on the way.
    if type(loader) is not SourceFileLoader or not module.__file__:
        return None
    try:
        source = loader.get_data(module.__file__)
        on_disk = _index(compile(source, module.__file__, "exec", dont_inherit=True))
        constants = _find_constants(source)
    except (OSError, SyntaxError, ValueError):
        return None
    for name, code in _find_functions(module):
        if not any(_is_same(code, other) for other in on_disk.get(name, ())):
            return name
    values = vars(module)
    return next((name for name, value in constants.items() if not _is_equal(values.get(name), value)), None)


def _index(code: CodeType) -> Mapping[str, list[CodeType]]:
    """Return all functions of a file by their names: several may have the same."""
    found: dict[str, list[CodeType]] = {}
    pending = [code]
    while pending:
        inner = [each for each in pending.pop().co_consts if isinstance(each, CodeType)]
        pending += inner
        for each in inner:
            found.setdefault(each.co_qualname, []).append(each)
    return found


def _find_functions(module: ModuleType) -> Iterator[tuple[str, CodeType]]:
    """Yield the functions and methods in memory that this module's file defines."""
    for value in [*vars(module).values()]:
        held = vars(value).values() if isinstance(value, type) and value.__module__ == module.__name__ else ()
        for each in (value, *held):
            func = getattr(each, "__func__", getattr(each, "fget", each))
            if isinstance(func, FunctionType) and func.__code__.co_filename == module.__file__:
                yield func.__code__.co_qualname, func.__code__


def _is_same(one: CodeType, other: CodeType) -> bool:
    """Return whether two codes do the same, wherever their lines are."""
    if (one.co_code, one.co_names, one.co_varnames) != (other.co_code, other.co_names, other.co_varnames):
        return False
    if len(one.co_consts) != len(other.co_consts):
        return False
    pairs = zip(one.co_consts, other.co_consts, strict=True)
    return all(
        _is_same(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else _is_equal(a, b)
        for a, b in pairs
    )


def _is_equal(one: object, other: object) -> bool:
    # Of constants, only NaN differs from itself.
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


def _find_constants(source: bytes) -> dict[str, object]:
    """Return the numbers and texts that a file assigns once, by name."""
    found: dict[str, object] = {}
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            found.update({each.id: node.value.value for each in node.targets if isinstance(each, ast.Name)})
    top_level = {
        each.id
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        for each in node.targets
        if isinstance(each, ast.Name)
    }
    return {name: value for name, value in found.items() if names.count(name) == 1 and name in top_level}

"""Imports found in source and in code objects."""

from __future__ import annotations

import pytest

from clipper_nomad.deployers.packing.imports import find_imports, find_imports_in_code

SOURCE = b"""
import a, b.c as d
from e import f, g as h
from i import *

def function():
    from j.k import l
    class Inner:
        import m
    return lambda: __import__("n")
"""


def test_imports_are_found_wherever_they_are() -> None:
    found = find_imports(SOURCE, "script", is_package=False)
    assert found == {"a", "b.c", "e", "e.f", "e.g", "i", "j.k", "j.k.l", "m"}


@pytest.mark.parametrize(
    ("statement", "module", "is_package", "found"),
    [
        (b"from . import x", "p.m", False, {"p", "p.x"}),
        (b"from . import x", "p.m", True, {"p.m", "p.m.x"}),
        (b"from .x import y", "p.m", False, {"p.x", "p.x.y"}),
        (b"from ..x import y", "p.q.m", False, {"p.x", "p.x.y"}),
        (b"from ...x import y", "p.m", False, set()),
        (b"from . import x", "m", False, set()),
    ],
)
def test_relative_imports_start_from_the_package(
    statement: bytes, module: str, is_package: bool, found: set[str]
) -> None:
    assert find_imports(statement, module, is_package=is_package) == found


@pytest.mark.parametrize("source", [b"def", b"\0", b"# coding: nonsense\nimport a"])
def test_what_is_no_python_imports_nothing(source: bytes) -> None:
    assert find_imports(source, "m", is_package=False) == set()


def test_a_function_imports_what_its_code_and_that_inside_it_imports() -> None:
    def function() -> object:
        import a.b  # type: ignore[import-not-found]
        from c import d, e  # type: ignore[import-not-found]

        def inner() -> object:
            from f.g import h  # type: ignore[import-not-found]

            return h

        return a, d, e, inner

    found = find_imports_in_code(function.__code__, "")
    assert found == {"a.b", "c", "c.d", "c.e", "f.g", "f.g.h"}


def test_a_function_imports_relative_to_its_package() -> None:
    namespace: dict[str, object] = {}
    exec("def function():\n    from ..x import y\n    from . import z\n", namespace)
    code = namespace["function"].__code__  # type: ignore[attr-defined]
    assert find_imports_in_code(code, "p.q") == {"p.x", "p.x.y", "p.q", "p.q.z"}
    assert find_imports_in_code(code, "") == set()

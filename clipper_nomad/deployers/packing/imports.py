"""The imports of a piece of Python, found in its source or in its code object.

Nothing is imported, so a module and another name look the same: `from a import b` gives both `a` and `a.b`.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterable
from importlib.util import resolve_name
from types import CodeType

_CONSTANTS = ("LOAD_CONST", "LOAD_SMALL_INT")


def find_imports(source: bytes, module: str, *, is_package: bool) -> set[str]:
    """Return the absolute names that the source of `module` imports; none if it cannot be parsed."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    package = module if is_package else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            items = [alias.name for alias in node.names]
            found |= _resolve(node.module or "", items, node.level, package)
    return found


def find_imports_in_code(code: CodeType, package: str) -> set[str]:
    """Return the absolute names that a function's code imports, including functions inside it.

    Relative imports start from `package`.
    """
    found: set[str] = set()
    constants: list[object] = []
    for instruction in dis.get_instructions(code):
        if instruction.opname in _CONSTANTS:
            constants.append(instruction.argval)
        elif instruction.opname == "IMPORT_NAME":
            # The compiler puts the level and the imported items right before it.
            level, items = constants[-2:]
            assert isinstance(level, int)
            assert items is None or isinstance(items, tuple)
            found |= _resolve(instruction.argval, items or (), level, package)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= find_imports_in_code(constant, package)
    return found


def _resolve(name: str, items: Iterable[str], level: int, package: str) -> set[str]:
    try:
        base = resolve_name("." * level + name, package)
    except ImportError:
        # It has more dots than enclosing packages: the import fails everywhere.
        return set()
    return {base} | {f"{base}.{item}" for item in items if item != "*"}

"""The user's own modules that travel with a closure, as files, and the names of those that do not.

A module is local if its file belongs neither to Python, nor to an installed distribution, nor to this
project: `pkgs_to_install` installs distributions in the runtime. Local modules that these import are found
too. Nothing is imported for it, so that no code of the user's runs.
"""

from __future__ import annotations

import pkgutil
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ModuleSpec
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path, PurePosixPath

from clipper_nomad.deployers.packing.imports import find_imports

_OURS = frozenset({"clipper_nomad", "clipper_frontend", "clipper_container"})
_INSTALLED_FOLDERS = frozenset({"site-packages", "dist-packages"})
_PYTHON_FOLDERS = tuple(
    Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")
)


@dataclass(frozen=True)
class Modules:
    """The files of local modules, by paths relative to a folder on sys.path, and other names.

    Those are of modules that do not travel, or not of modules at all. `names` are those of the modules, and
    `packages` the packages among them, with their folders.
    """

    files: Mapping[str, bytes]
    others: frozenset[str]
    names: frozenset[str] = frozenset()
    packages: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)


def collect_modules(names: Iterable[str]) -> Modules:
    """Return the local modules among `names`, with those that they import, and the other names."""
    return _Collection().collect(names)


class _Collection:
    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}
        self._local: dict[str, bool] = {}
        self._pending: list[str] = []
        self._packages: dict[str, tuple[Path, ...]] = {}

    def collect(self, names: Iterable[str]) -> Modules:
        self._pending = list(names)
        others = set()
        while self._pending:
            wanted = self._pending.pop()
            for name in _with_parents(wanted):
                if name not in self._local:
                    self._local[name] = self._take(name)
                if not self._local[name]:
                    others.add(wanted)
                    break
        names = frozenset(name for name, is_local in self._local.items() if is_local)
        return Modules(self._files, frozenset(others), names, self._packages)

    def _take(self, name: str) -> bool:
        """Add a module's file, and return whether modules below it may be local."""
        spec = find_module(name)
        if spec is None or name.partition(".")[0] in _OURS:
            return False
        if spec.origin is None:
            return self._take_namespace(name, spec)
        file = Path(spec.origin)
        if not spec.has_location or not self._is_local(name, file):
            return False
        return self._add(name, file, is_package=spec.submodule_search_locations is not None)

    def _take_namespace(self, name: str, spec: ModuleSpec) -> bool:
        """Note a namespace package, whose folders are all that it has, and return whether it is one."""
        folders = [Path(folder).resolve() for folder in spec.submodule_search_locations or ()]
        self._packages[name] = tuple(folder for folder in folders if not _is_installed_there(folder))
        return spec.submodule_search_locations is not None

    def _add(self, name: str, file: Path, *, is_package: bool) -> bool:
        suffix = _find_suffix(file)
        if suffix is None or not file.is_file():
            return False
        content = file.read_bytes()
        path = PurePosixPath(*name.split("."))
        self._files[str(path / f"__init__{suffix}" if is_package else f"{path}{suffix}")] = content
        if is_package:
            self._packages[name] = (file.parent,)
        if suffix in SOURCE_SUFFIXES:
            self._pending += find_imports(content, name, is_package=is_package)
        return True

    def _is_local(self, name: str, file: Path) -> bool:
        file = file.resolve()
        if _is_installed_there(file):
            return False
        return file not in self._find_installed(name.partition(".")[0])

    def _find_installed(self, top_level: str) -> set[Path]:
        """Return the files of all distributions that provide a top-level module."""
        found = set()
        for name in self._distributions.get(top_level, ()):
            try:
                installed = distribution(name)
            except PackageNotFoundError:
                continue
            # Without a RECORD, the metadata lie beside sources under development.
            if installed.read_text("RECORD"):
                found |= {Path(str(file.locate())).resolve() for file in installed.files or ()}
        return found

    @cached_property
    def _distributions(self) -> dict[str, list[str]]:
        return dict(packages_distributions())


def _is_installed_there(path: Path) -> bool:
    """Return whether a file or folder is where Python or packages are installed."""
    return bool(_INSTALLED_FOLDERS & set(path.parts)) or any(
        path.is_relative_to(folder) for folder in _PYTHON_FOLDERS
    )


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def find_module(name: str) -> ModuleSpec | None:
    """Return a module's spec as importlib.util.find_spec does, but without importing its parents."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__spec__", None)
    parent = name.rpartition(".")[0]
    if not parent:
        found = (finder.find_spec(name, None) for finder in sys.meta_path)
        return next((spec for spec in found if spec), None)
    parent_spec = find_module(parent)
    locations = parent_spec.submodule_search_locations if parent_spec else None
    return _find_in(list(locations), name) if locations else None


def _find_in(locations: Iterable[str], name: str) -> ModuleSpec | None:
    """Return the spec of a module in a package; the finders of sys.meta_path would need its parents."""
    portions: list[str] = []
    for location in locations:
        finder = pkgutil.get_importer(location)
        spec = finder.find_spec(name) if finder else None
        if spec and spec.loader:
            return spec
        portions += (spec.submodule_search_locations or ()) if spec else ()
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _find_suffix(file: Path) -> str | None:
    suffixes = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)
    return next((suffix for suffix in suffixes if file.name.endswith(suffix)), None)

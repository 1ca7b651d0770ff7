"""The packages that a closure needs where it is unpickled, in the versions installed here.

A scikit-learn model can only be unpickled by the version that pickled it. `pkgs_to_install` overrides what is
recorded here. No module is imported, and no index is asked.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from clipper_nomad.deployers.packing.modules import find_module
from clipper_nomad.errors import ClipperWarning

#: The runtime comes with the image; the rest of the project is not for models.
_OURS = frozenset({"clipper-nomad", "clipper-container"})
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


def add_recorded_packages(
    module_names: Iterable[str], pkgs_to_install: Iterable[str] | None
) -> Iterable[str] | None:
    """Return `pkgs_to_install` with the distributions behind the modules, each in its version here.

    A package that `pkgs_to_install` names is left as it is there. Warns of a package that no index has. A
    value that is not a list is returned unchanged: the build refuses it.
    """
    if isinstance(pkgs_to_install, str):
        return pkgs_to_install
    given = tuple(pkgs_to_install or ())
    named = {_name_of(str(package)) for package in given} | _OURS
    installed = _Installed()
    found: dict[str, Distribution] = {}
    for module_name in module_names:
        for each in installed.behind(module_name):
            found.setdefault(str(canonicalize_name(each.name)), each)
    pins = [_pin(found[name]) for name in sorted(found.keys() - named)]
    return (*given, *filter(None, pins))


class _Installed:
    """The installed distributions, by the modules that they provide."""

    @cached_property
    def _by_top_level(self) -> dict[str, list[str]]:
        return {name: sorted(set(found)) for name, found in packages_distributions().items()}

    def behind(self, module_name: str) -> list[Distribution]:
        """Return the distribution that provides a module; several if a namespace package leaves that open."""
        names = self._by_top_level.get(module_name.partition(".")[0], [])
        found = [each for each in map(_find_distribution, names) if each]
        if len(found) < 2:
            return found
        spec = find_module(module_name)
        file = Path(spec.origin).resolve() if spec and spec.origin and spec.has_location else None
        return [each for each in found if file in _files(each)]


def _files(installed: Distribution) -> set[Path]:
    return {Path(str(file.locate())).resolve() for file in installed.files or ()}


def _find_distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _pin(installed: Distribution) -> str | None:
    """Return the requirement for the installed version; None if no index has it."""
    name = str(canonicalize_name(installed.name))
    origin = _find_origin(installed)
    if origin is None:
        # A build of an index of its own, such as `2.15.0+cpu`, is one of its version for pip. It takes such a
        # build first where it is given that index, and another one where it is not.
        return f"{name}=={Version(installed.version).public}"
    if not _is_editable(installed):
        warnings.warn(
            f"The model needs {name} {installed.version}, which {origin}, so no package index has it, and "
            "replicas on other machines will not find it: name a source that pip can install it from in "
            "pkgs_to_install.",
            ClipperWarning,
            stacklevel=2,
        )
    return None


def _find_origin(installed: Distribution) -> str | None:
    """Return how a distribution was installed; None if from an index."""
    try:
        Version(installed.version)
    except InvalidVersion:
        return "has a version that pip does not know"
    url = _direct_url(installed).get("url")
    # Conda's packages name the folder in which they were built; an index has them as well.
    if url is None or (installed.read_text("INSTALLER") or "").strip() == "conda":
        return None
    return f"was installed from {_without_credentials(str(url))}"


def _is_editable(installed: Distribution) -> bool:
    """Return whether it is installed from a working folder: its modules are local, and travel."""
    folder = _direct_url(installed).get("dir_info")
    return isinstance(folder, dict) and bool(folder.get("editable"))


def _direct_url(installed: Distribution) -> dict[str, object]:
    text = installed.read_text("direct_url.json")
    try:
        found = json.loads(text) if text else {}
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _without_credentials(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)


def _name_of(package: str) -> str:
    """Return the distribution that a requirement of pip's names; empty if it names none."""
    try:
        return str(canonicalize_name(Requirement(package).name))
    except InvalidRequirement:
        pass
    if match := _EGG.search(package):
        return str(canonicalize_name(match[1]))
    try:
        return str(parse_wheel_filename(package.partition("#")[0].rpartition("/")[2])[0])
    except InvalidWheelFilename:
        return ""

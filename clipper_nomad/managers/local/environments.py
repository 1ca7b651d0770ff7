"""The Python environment that a model version runs in: this one, or one beside it with the missing packages.

An environment is a venv: its own packages come first, and the current environment's behind them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from clipper_nomad.errors import BuildError
from clipper_nomad.managers.disk import private_files
from clipper_nomad.managers.disk.pip import parse_requirements, run_install
from clipper_nomad.managers.local.state import lock_file

#: Run by the interpreter in question, so it imports the standard library only.
_PROBE = """
import importlib.metadata as m, json, os, platform, site, sys
packages = {}
for d in m.distributions():
    if d.metadata["Name"]:
        packages.setdefault(d.metadata["Name"], [d.version, d.requires or []])
v = sys.version_info
print(json.dumps({
    "executable": sys.executable,
    "site_packages": [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))],
    "packages": packages,
    "markers": {
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": "%d.%d" % v[:2],
        "sys_platform": sys.platform,
    },
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python environment: its paths, its packages (each name's version and needs), and its markers."""

    executable: str
    site_packages: tuple[str, ...]
    packages: Mapping[str, tuple[str, tuple[str, ...]]]
    markers: Mapping[str, str]

    @classmethod
    def probe(cls, executable: str) -> Interpreter:
        """Ask the interpreter itself. Raises BuildError if it does not run."""
        try:
            result = subprocess.run([executable, "-c", _PROBE], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            detail = getattr(error, "stderr", None) or error
            raise BuildError(f"Could not run the Python interpreter {executable!r}: {detail}") from error
        found = msgspec.json.decode(result.stdout, type=cls)
        packages = {str(canonicalize_name(name)): package for name, package in found.packages.items()}
        return cls(found.executable, found.site_packages, packages, found.markers)

    def satisfies(self, requirement: Requirement) -> bool:
        """Return whether the installed packages meet the requirement, its extras included.

        A requirement by URL is never met, since the content there may have changed.
        """
        if requirement.marker and not requirement.marker.evaluate(dict(self.markers)):
            return True
        installed = self.packages.get(canonicalize_name(requirement.name))
        if installed is None or requirement.url:
            return False
        version, needs = installed
        if not requirement.specifier.contains(version, prereleases=True):
            return False
        return all(self._satisfies_extra(extra, needs) for extra in requirement.extras)

    def _satisfies_extra(self, extra: str, needs: Iterable[str]) -> bool:
        for need in map(Requirement, needs):
            wanted_by_extra = need.marker is not None and not need.marker.evaluate(self._marker_values(""))
            if wanted_by_extra and need.marker and need.marker.evaluate(self._marker_values(extra)):
                need.marker = None
                if not self.satisfies(need):
                    return False
        return True

    def _marker_values(self, extra: str) -> dict[str, str | frozenset[str]]:
        return {**self.markers, "extra": extra}


def missing_requirements(requirements: Iterable[str], interpreter: Interpreter) -> tuple[str, ...]:
    """Return the requirements that the interpreter's environment does not satisfy, sorted.

    Other arguments that pip takes (a VCS URL, a path) always count as missing. Raises BuildError for pip's
    own options.
    """
    return tuple(text for text in parse_requirements(requirements) if not _is_satisfied(text, interpreter))


def _is_satisfied(text: str, interpreter: Interpreter) -> bool:
    try:
        return interpreter.satisfies(Requirement(text))
    except InvalidRequirement:
        return False


def environment_digest(missing: Collection[str], interpreter: Interpreter) -> str:
    """Return the name of the environment that has `missing` on top of the interpreter's packages."""
    parts = [interpreter.executable, interpreter.markers["python_full_version"], *missing]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


def provide_environment(directory: Path, missing: Collection[str], interpreter: Interpreter) -> str:
    """Return the interpreter of an environment with `missing`, which is made below `directory` if necessary.

    Raises BuildError with the packages and pip's last lines; its whole output is in a log beside.
    """
    environment = directory / environment_digest(missing, interpreter)
    python = environment / "bin" / "python"
    # Written last, as an environment cannot be built elsewhere and moved here: its scripts hold its path.
    complete = environment / "clipper-complete"
    private_files.make_directory(directory)
    with contextlib.ExitStack() as stack:
        lock_file(environment.with_suffix(".lock"), stack)
        if not complete.exists():
            shutil.rmtree(environment, ignore_errors=True)
            _create(environment, interpreter)
            run_install(python, missing, environment.with_suffix(".log"))
            private_files.write_text(complete, "\n".join(missing) + "\n")
    return str(python)


def _create(environment: Path, interpreter: Interpreter) -> None:
    """Make a venv in which the interpreter's packages can be imported too, after its own."""
    # The interpreter's pip serves the new environment as well; if it has none, the venv gets its own.
    without_pip = ["--without-pip"] if "pip" in interpreter.packages else []
    command = [interpreter.executable, "-m", "venv", *without_pip, str(environment)]
    result = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        umask=private_files.UMASK,
    )
    if result.returncode != 0:
        raise BuildError(f"Could not make a Python environment in {environment}: {result.stdout.strip()}")
    site_packages = next((environment / "lib").glob("python*/site-packages"))
    # addsitedir, and not the bare path, so that editable installs there work as well.
    lines = [f"import site; site.addsitedir({path!r})\n" for path in interpreter.site_packages]
    private_files.write_text(site_packages / "zz_clipper_current_environment.pth", "".join(lines))

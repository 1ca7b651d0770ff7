"""A cache of the pip packages of models, packed once for all models with the same requirements.

An entry is a gzip member that holds a tar's entries below `packages/`, without the tar's end. The cache is
bounded.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from packaging.requirements import InvalidRequirement, Requirement

from clipper_nomad.errors import BuildError
from clipper_nomad.managers.disk import private_files
from clipper_nomad.managers.disk.pip import parse_requirements, run_install

_RUNTIME = "clipper-container"
_GZIP_LEVEL = 6
_KEPT_BYTES = 4 << 30
_ABANDONED_S = 24 * 3600.0
#: Nomad's default of decompression_file_count_limit, minus a margin for the model's folder.
_MAX_FILES = 4000

_logger = logging.getLogger("clipper")


@dataclass(frozen=True)
class PackageCache:
    """Packed pip packages in `directory`; the least recently used are evicted above `kept_bytes`."""

    directory: Path
    kept_bytes: int = _KEPT_BYTES

    @classmethod
    def default(cls) -> PackageCache:
        """Return the one in XDG_CACHE_HOME, else ~/.cache."""
        base = os.environ.get("XDG_CACHE_HOME")
        return cls((Path(base) if base else Path.home() / ".cache") / "clipper-nomad" / "packages")

    def provide(self, packages: Collection[str]) -> Path:
        """Return the packed packages of these requirements, installed now unless they are cached.

        Raises BuildError with pip's last lines; the whole output is in a log in the cache.
        """
        requirements = parse_requirements(packages)
        constraints = _runtime_constraints()
        packed = self.directory / f"{_digest(requirements, constraints)}.tar.gz"
        try:
            private_files.make_directory(self.directory)
            self._require_own()
            if packed.exists() and all(map(_is_fixed, requirements)):
                packed.touch()
            else:
                self._install(requirements, constraints, packed)
                self._evict(packed)
        except OSError as error:
            raise BuildError(
                f"Cannot pack {', '.join(requirements)} in {self.directory}: {error}. Set XDG_CACHE_HOME to "
                "a folder that you may write to, with room for the packages."
            ) from error
        return packed

    def _require_own(self) -> None:
        """Raise BuildError if other users could have put packages there, which models would import."""
        for path in (self.directory.parent, self.directory):
            if distrust := private_files.find_distrust(path):
                raise BuildError(f"Cannot use the cache of packages: {distrust} (XDG_CACHE_HOME)")

    def _install(self, requirements: Collection[str], constraints: Collection[str], packed: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self.directory, prefix="new-") as temporary:
            target = Path(temporary) / "packages"
            target.mkdir()
            if requirements:
                _logger.info("Installing %s for the model", ", ".join(requirements))
                constraints_path = Path(temporary) / "constraints.txt"
                constraints_path.write_text("".join(f"{line}\n" for line in constraints))
                # Bytecode would double the number of files, and contains timestamps.
                arguments = ("--no-compile", "--target", target, "--constraint", constraints_path)
                log_path = packed.with_name(packed.name.replace(".tar.gz", ".log"))
                run_install(_python_with_pip(Path(temporary)), requirements, log_path, arguments)
            new = Path(temporary) / packed.name
            num_files = _pack(target, new)
            new.replace(packed)
        if num_files > _MAX_FILES:
            _logger.warning(
                "The packages %s have %d files. Nomad's clients unpack 4096 at most: configure them with a "
                "higher `client { artifact { decompression_file_count_limit = … } }`.",
                ", ".join(requirements),
                num_files,
            )

    def _evict(self, kept: Path) -> None:
        """Evict entries above the limit, old logs, and the leftovers of killed builds."""
        room = self.kept_bytes - kept.stat().st_size
        for path in sorted(self.directory.glob("*.tar.gz"), key=_used_at, reverse=True):
            if path != kept:
                room -= path.stat().st_size
                if room < 0:
                    path.unlink(missing_ok=True)
        for path in (*self.directory.glob("new-*"), *self.directory.glob("*.log")):
            if time.time() - _used_at(path) > _ABANDONED_S:
                remove = shutil.rmtree if path.is_dir() else Path.unlink
                remove(path)


def _used_at(path: Path) -> float:
    return path.stat().st_mtime


def _digest(requirements: Collection[str], constraints: Collection[str]) -> str:
    """Return the name of these packages for this Python version and platform."""
    where = [sys.implementation.cache_tag, platform.python_version(), sysconfig.get_platform()]
    return hashlib.sha256(json.dumps([where, [*requirements], [*constraints]]).encode()).hexdigest()[:24]


def _is_fixed(text: str) -> bool:
    """Return whether a requirement is by name: the content of a URL or a path may have changed."""
    try:
        return Requirement(text).url is None
    except InvalidRequirement:
        return False


def _runtime_constraints() -> tuple[str, ...]:
    """Return the runtime's requirements: on the nodes, it finds the model's packages before its own."""
    needs = importlib.metadata.requires(_RUNTIME) or []
    return tuple(sorted(need for need in needs if not _is_of_an_extra(Requirement(need))))


def _is_of_an_extra(need: Requirement) -> bool:
    return need.marker is not None and "extra" in str(need.marker)


def _python_with_pip(directory: Path) -> str | Path:
    """Return this interpreter, or if it has no pip, a new one of the same version in `directory`."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    environment = directory / "environment"
    command = [sys.executable, "-m", "venv", str(environment)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode != 0:
        raise BuildError(
            f"This Python environment has no pip, and a new one failed: {result.stdout.strip()}. Install pip "
            f"for {sys.executable}."
        )
    return environment / "bin" / "python"


def _pack(folder: Path, target: Path) -> int:
    """Pack `folder` as `packages/`, reproducibly; return the number of files.

    Only the top folder has an entry of its own: nodes count those too.
    """
    files = sorted(_files(folder))
    with (
        private_files.open_private(target, "wb") as file,
        gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as member,
    ):
        archive = tarfile.TarFile(fileobj=cast("IO[bytes]", member), mode="w", format=tarfile.PAX_FORMAT)
        top = tarfile.TarInfo("packages")
        top.type, top.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(top)
        for path in files:
            info = tarfile.TarInfo(f"packages/{path.relative_to(folder)}")
            found = path.stat()
            info.size, info.mode = found.st_size, 0o755 if found.st_mode & stat.S_IXUSR else 0o644
            with path.open("rb") as content:
                archive.addfile(info, content)
    return len(files)


def _files(folder: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(folder, followlinks=True):
        yield from (Path(directory) / name for name in names)

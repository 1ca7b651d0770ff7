"""Python environments with a framework, behind the checkout's own: made once, outside the checkout.

The packages of a framework are installed into a folder of the cache, without those that the checkout has. An
environment of one run is a venv whose path has that folder, and then the checkout's packages.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.docker.engine import cache_dir, locked

#: The packages of each environment; together they must fit what the checkout has.
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "light": (
        "lightgbm==4.7.0",
        "onnx==1.23.2",
        "onnxruntime==1.32.0",
        "pandas==3.0.1",
        "skl2onnx==1.20.0",
        "skops==0.16.0",
        "xgboost-cpu==3.2.0",
    ),
}
_INSTALL_TIMEOUT_S = 1200


@dataclass(frozen=True)
class FrameworkEnvironment:
    """A Python with a framework."""

    python: Path

    def run(self, module: str, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a module of the checkout with this Python, and return what it printed."""
        return subprocess.run(
            [self.python, "-m", module, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def provide_environment(name: str, folder: Path) -> FrameworkEnvironment:
    """Make the environment of this name in `folder`, and install its packages if the cache lacks them."""
    packages = _provide_packages(name)
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    site = next((folder / "lib").glob("python*/site-packages"))
    lines = [f"import site; site.addsitedir({str(path)!r})" for path in (packages, _own_packages())]
    (site / "packages.pth").write_text("\n".join(lines) + "\n")
    return FrameworkEnvironment(python)


def _own_packages() -> Path:
    return Path(sysconfig.get_path("purelib"))


def _provide_packages(name: str) -> Path:
    wanted = PACKAGES[name]
    digest = hashlib.sha256("\n".join([platform.python_version(), *wanted]).encode()).hexdigest()[:12]
    folder = cache_dir() / "frameworks" / f"{name}-{digest}"
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        complete = folder / "complete"
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            _install(wanted, folder)
            complete.touch()
    return next((folder / "lib").glob("python*/site-packages"))


def _install(packages: tuple[str, ...], folder: Path) -> None:
    """Install packages into a new venv that sees the checkout's, which pip then leaves out."""
    venv.create(folder, symlinks=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    behind = site / "behind.pth"
    behind.write_text(f"import site; site.addsitedir({str(_own_packages())!r})\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", *packages],
        check=True,
        timeout=_INSTALL_TIMEOUT_S,
    )
    behind.unlink()

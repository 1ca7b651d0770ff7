"""R, with this project's package clipperr installed into a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from clipper_container.kinds.frameworks.r.model import RModel
from clipper_nomad.deployers.r import clipperr_folder
from tests.support.docker.engine import give_up

_TIMEOUT_S = 120


def require_r() -> None:
    """Skip the running test if there is no R, or fail it with CI=true."""
    if shutil.which("Rscript") is None:
        give_up("Rscript is not on PATH: apt-get install r-base-core r-cran-jsonlite r-cran-codetools")


class R:
    """An R that has clipperr."""

    def __init__(self, folder: Path) -> None:
        """Install clipperr into `folder`."""
        self._library = folder / "library"
        self._library.mkdir()
        self._run("R", "CMD", "INSTALL", f"--library={self._library}", str(clipperr_folder()), cwd=folder)

    def run(self, script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a script in the folder `cwd`, and return what it printed. It may fail."""
        command = ["Rscript", "--vanilla", "-e", f"library(clipperr)\n{script}"]
        return self._call(*command, cwd=cwd)

    def save(self, script: str, cwd: Path) -> str:
        """Run a script that must succeed, and return what it printed."""
        return self._run("Rscript", "--vanilla", "-e", f"library(clipperr)\n{script}", cwd=cwd)

    def _run(self, *command: str, cwd: Path) -> str:
        done = self._call(*command, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _call(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "R_LIBS": str(self._library), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )


def find_child(pid: int) -> int:
    """Return the id of the one child of a process."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def load(folder: Path) -> RModel:
    """Return the model in `folder`, whose R process the caller ends."""
    manifest: dict[str, Any] = json.loads((folder / "model.json").read_text())
    model = RModel.load(folder, manifest)
    assert isinstance(model, RModel)
    return model

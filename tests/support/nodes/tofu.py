"""Root modules of terraform/ that need no provider: copied, applied by OpenTofu, their outputs read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.paths import REPOSITORY

_CONFIGURATIONS = REPOSITORY / "terraform"
# Files of somebody who applies the roots in the checkout.
_STATE = (".terraform*", "*.tfstate*", "*.tfvars*", ".clipper-nomad")


def copy_configurations(directory: Path) -> None:
    """Copy all of terraform/ to a new folder, so that nothing is written to the checkout."""
    shutil.copytree(_CONFIGURATIONS, directory, ignore=shutil.ignore_patterns(*_STATE))


class Root:
    """A root module in `directory`, which keeps its state."""

    def __init__(self, tofu: Path, directory: Path) -> None:
        self.directory = directory
        self._tofu = tofu

    def apply(self, variables: Mapping[str, Any]) -> None:
        """Apply the module with these variables. Raises RuntimeError with tofu's output."""
        given = self.directory / "tests.auto.tfvars.json"
        given.touch(mode=0o600)
        given.write_text(json.dumps(variables))
        self._run("init", "-input=false")
        self._run("apply", "-input=false", "-auto-approve")

    def outputs(self) -> dict[str, Any]:
        """Return the outputs, secret ones too."""
        return {name: each["value"] for name, each in json.loads(self._run("output", "-json")).items()}

    def _run(self, *arguments: str) -> str:
        # This machine's own configuration of tofu may name missing files.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        done = subprocess.run(
            [self._tofu, *arguments, "-no-color"],
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"tofu {arguments[0]} in {self.directory} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

"""Root modules of terraform/ that need no provider: copied, applied by OpenTofu, asked for their outputs."""

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
# What somebody who applies them in the checkout has there.
_STATE = (".terraform*", "*.tfstate*", "*.tfvars*", ".clipper-nomad")


def copy_configurations(directory: Path) -> None:
    """Copy all of terraform/ to a folder that is new, so that nothing is written to the checkout."""
    shutil.copytree(_CONFIGURATIONS, directory, ignore=shutil.ignore_patterns(*_STATE))


class Root:
    """A root module in `directory`, which keeps its state."""

    def __init__(self, tofu: Path, directory: Path) -> None:
        self.directory = directory
        self._tofu = tofu

    def apply(self, variables: Mapping[str, Any]) -> None:
        """Carry out what the module says with these variables. Raises RuntimeError, with what tofu said."""
        given = self.directory / "tests.auto.tfvars.json"
        given.touch(mode=0o600)
        given.write_text(json.dumps(variables))
        self._run("init", "-input=false")
        self._run("apply", "-input=false", "-auto-approve")

    def outputs(self) -> dict[str, Any]:
        """Return the outputs, secret ones too."""
        return {name: each["value"] for name, each in json.loads(self._run("output", "-json")).items()}

    def _run(self, *arguments: str) -> str:
        # A configuration of this machine's own may name files that are not there.
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

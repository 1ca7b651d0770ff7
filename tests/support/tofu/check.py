"""All roots and modules of terraform/, initialised, validated and tested by OpenTofu in a copy.

`python -m tests.support.tofu.check [DIR ...]` does it by hand, for all or for some, and `--stand-ins` uses no
real provider.
"""

from __future__ import annotations

import argparse
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.nomad.tools import require_tofu
from tests.support.paths import REPOSITORY
from tests.support.tofu.providers import Providers, require_providers, require_stand_ins

TERRAFORM = REPOSITORY / "terraform"
# Files of a developer's own runs: results and inputs.
_LEFTOVERS = (".terraform", "*.tfstate*", ".clipper-nomad")
_INPUTS = ("terraform.tfvars*", "*.auto.tfvars*")
# Its hashes are those of the real providers.
_LOCK_FILE = ".terraform.lock.hcl"
_TIMEOUT_S = 100.0


class TofuError(Exception):
    """OpenTofu refused; the message is its output."""


@dataclass(frozen=True)
class Tofu:
    """OpenTofu, with providers."""

    program: Path
    providers: Providers

    def run(self, folder: Path, *arguments: str) -> str:
        """Run a command in a folder and return its output, or raise TofuError."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        environment |= {
            "TF_CLI_CONFIG_FILE": str(self.providers.settings),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
        }
        done = subprocess.run(
            [self.program, *arguments, "-no-color"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise TofuError(f"tofu {' '.join(arguments)} in {folder}, {self.providers}:\n{done.stdout}")
        return done.stdout


def require_checker(*, stand_ins: bool = False) -> Tofu:
    """Return OpenTofu, with the real providers if these can be downloaded. Raises MissingServiceError."""
    return Tofu(require_tofu(), require_stand_ins() if stand_ins else require_providers())


def find_folders() -> list[str]:
    """Return the roots and modules of terraform/, examples included, relative to it."""
    paths = (path.parent.relative_to(TERRAFORM) for path in TERRAFORM.rglob("*.tf"))
    return sorted({path.as_posix() for path in paths if ".terraform" not in path.parts})


def check_format(tofu: Tofu) -> None:
    """Raise TofuError with the difference if `tofu fmt` would change a file."""
    tofu.run(REPOSITORY, "fmt", "-check", "-recursive", "-diff", str(TERRAFORM))


def check_folder(tofu: Tofu, folder: str, copies: Path) -> str:
    """Validate and test a folder of terraform/ in a copy below `copies`, and return OpenTofu's output."""
    checked = copies / "terraform" / folder
    locks = (_LOCK_FILE,) if tofu.providers.are_stand_ins else ()
    shutil.copytree(TERRAFORM, copies / "terraform", ignore=functools.partial(_leave_out, locks))
    tofu.run(checked, "init", "-backend=false")
    printed = [tofu.run(checked, "validate")]
    if any(checked.glob("*.tftest.hcl")) or any(checked.glob("tests/*.tftest.hcl")):
        printed.append(tofu.run(checked, "test"))
    return "\n".join(printed)


def _leave_out(locks: tuple[str, ...], folder: str, names: list[str]) -> set[str]:
    # The inputs of tests are in the repository.
    inputs = () if Path(folder).name == "tests" else _INPUTS
    return shutil.ignore_patterns(*_LEFTOVERS, *inputs, *locks)(folder, names)


def main() -> None:
    """Check the folders of the command line, or all."""
    parser = argparse.ArgumentParser(description="Validate and test the roots and modules of terraform/.")
    parser.add_argument("folders", nargs="*", type=Path, help="by default all")
    parser.add_argument("--stand-ins", action="store_true", help="use stand-ins for all providers")
    arguments = parser.parse_args()
    tofu = require_checker(stand_ins=arguments.stand_ins)
    print(tofu.providers)
    named = [path.resolve().relative_to(TERRAFORM).as_posix() for path in arguments.folders]
    try:
        check_format(tofu)
        for folder in named or find_folders():
            with tempfile.TemporaryDirectory() as copies:
                print(f"\n{folder}\n{check_folder(tofu, folder, Path(copies))}")
    except TofuError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

"""The installation of a model's packages with pip: requirements, pip's command line, and its errors.

The caller chooses where packages go, by pip's own arguments.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable
from pathlib import Path

from clipper_nomad.errors import BuildError
from clipper_nomad.managers.disk import private_files

_ERROR_LINES = 15
_REFUSED = re.compile(r"No matching distribution found for (.+)|Invalid requirement: '(.+?)'")


def parse_requirements(packages: Iterable[str]) -> tuple[str, ...]:
    """Return the requirements for pip, sorted and each once. Raises BuildError for pip's own options."""
    found = {package.strip() for package in packages}
    for text in found:
        if text.startswith("-") or "\n" in text:
            raise BuildError(
                f"Cannot install {text!r}: pkgs_to_install takes requirements, not options of pip. "
                "Set options in pip's configuration or environment (PIP_INDEX_URL, PIP_FIND_LINKS, ...)."
            )
    return tuple(sorted(filter(None, found)))


def run_install(
    python: str | Path, requirements: Collection[str], log_path: Path, arguments: Iterable[str | Path] = ()
) -> None:
    """Install `requirements` with the pip of `python`, which follows its own configuration.

    Raises BuildError with the package that pip could not find and its last lines; all its output goes to
    `log_path`.
    """
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", *arguments]
    # pip takes nothing after `--` for an option.
    command = [str(python), "-m", "pip", "install", *map(str, options), "--", *requirements]
    with private_files.open_private(log_path, "w") as log:
        result = subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, check=False, umask=private_files.UMASK
        )
    if result.returncode != 0:
        lines = log_path.read_text(errors="replace").splitlines()
        refused = [match[1] or match[2] for line in lines if (match := _REFUSED.search(line))]
        last_lines = "\n".join(lines[-_ERROR_LINES:])
        raise BuildError(
            f"Could not install {refused[0] if refused else ', '.join(requirements)} (of pkgs_to_install: "
            f"{', '.join(requirements)}). pip's last lines (its whole output: {log_path}):\n{last_lines}"
        )

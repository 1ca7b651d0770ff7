"""The outputs of Terraform's root `access`: the variables of a cluster, and its certificate authority.

The outputs are read with OpenTofu or Terraform. The authority's certificate is written to a file beside them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipper_nomad.errors import ClipperException

# OpenTofu, and Terraform where there is none.
_PROGRAMS = ("tofu", "terraform")
_CA_FILE = Path(".clipper-nomad") / "ca.pem"
_CA_VARIABLES = ("NOMAD_CACERT", "CONSUL_CACERT")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_access(directory: Path) -> dict[str, str]:
    """Return the variables for the cluster that the root in `directory` was applied to.

    The authority's certificate is written to a file in `directory`, which two of them name. Raises
    ClipperException if both programs are missing, or nothing was applied.
    """
    directory = directory.resolve()
    environment, ca_pem = parse_outputs(_ask(directory), directory)
    ca_path = directory / _CA_FILE
    _write(ca_path, ca_pem)
    return environment | dict.fromkeys(_CA_VARIABLES, str(ca_path))


def parse_outputs(outputs: Mapping[str, Any], directory: Path) -> tuple[dict[str, str], str]:
    """Return the variables and the certificate that outputs in JSON hold; raises ClipperException."""
    if not outputs:
        raise ClipperException(
            f"{directory} has no outputs: nothing is applied there, or it is not terraform/access. Run "
            "`tofu init` and `tofu apply` in that folder first, where the state is."
        )
    environment = outputs.get("environment", {}).get("value")
    ca_pem = outputs.get("ca_pem", {}).get("value")
    if not _is_environment(environment) or not isinstance(ca_pem, str):
        raise ClipperException(
            f"{directory} has outputs, {', '.join(sorted(outputs))}, but not both environment and ca_pem: "
            "give the folder of terraform/access, and if it is that, run `tofu apply` there to its end."
        )
    return dict(environment), ca_pem


def _is_environment(value: object) -> bool:
    return isinstance(value, dict) and all(
        _VARIABLE.fullmatch(name) and isinstance(text, str) for name, text in value.items()
    )


def _ask(directory: Path) -> dict[str, Any]:
    """Return the outputs as the program prints them."""
    path = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if path is None:
        raise ClipperException(
            f"Could not read the outputs of {directory}: neither `tofu` nor `terraform` is on the PATH. "
            "Install the one that it was applied with."
        )
    command = [path, f"-chdir={directory}", "output", "-json", "-no-color"]
    asked = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    # Warnings about its own configuration come first.
    found = re.search(r"^\{.*^\}|^\{\}", asked.stdout, re.DOTALL | re.MULTILINE)
    if asked.returncode != 0 or not found:
        program, said = Path(path).name, " ".join((asked.stdout + asked.stderr).split())
        raise ClipperException(
            f"`{program} output` failed in {directory}: {said} If that is the folder of terraform/access, "
            f"run `{program} init` there, with the backend that it was applied with."
        )
    outputs: dict[str, Any] = json.loads(found[0])
    return outputs


def _write(path: Path, text: str) -> None:
    """Replace a file in one step: a reader sees the old content or the new one."""
    try:
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(text)
        Path(file.name).replace(path)
    except OSError as error:
        raise ClipperException(
            f"Could not write the authority's certificate to {path}: {error}. Give a copy of the folder that "
            "you may write to."
        ) from error

"""`clipper-nomad env` on real roots of Terraform: the variables of a shell then, and the errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.nodes.tofu import Root
from tests.support.tofu.access import find_tofu

_OUTPUTS = """
variable "environment" {
  type = map(string)
}

output "environment" {
  value     = var.environment
  sensitive = true
}

output "ca_pem" {
  value = "-----BEGIN CERTIFICATE-----\\n-----END CERTIFICATE-----\\n"
}
"""
_TRICKY = {"NOMAD_TOKEN": "it's $(touch made) `touch made`", "CLIPPER_X": "two\nlines", "CLIPPER_E": ""}
_ENV = f"{sys.executable} -m clipper_nomad.cli env --terraform"


@pytest.fixture(scope="module")
def tofu() -> Path:
    return find_tofu()


@pytest.fixture
def path(tofu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder on the PATH beside the shell's: it has OpenTofu."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "tofu").symlink_to(tofu)
    (folder / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def applied(tofu: Path, tmp_path: Path) -> Path:
    """A root with the outputs of terraform/access, applied, in a folder whose name needs quoting."""
    folder = tmp_path / "it's access"
    folder.mkdir()
    (folder / "main.tf").write_text(_OUTPUTS)
    Root(tofu, folder).apply({"environment": _TRICKY})
    return folder


def run(*arguments: str, code: int) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "clipper_nomad.cli", "env", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code, result.stdout + result.stderr
    return result


def evaluated(folder: Path) -> dict[str, str]:
    """Return the environment of a shell after `eval "$(clipper-nomad env …)"` in `folder`'s parent."""
    script = f'eval "$({_ENV} "$0")"; exec {sys.executable} -c "$1"'
    dump = "import json, os; print(json.dumps(dict(os.environ)))"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOMAD", "CONSUL"))
    }
    result = subprocess.run(
        ["sh", "-c", script, folder.name, dump],
        cwd=folder.parent,
        env=environment | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, str] = json.loads(result.stdout)
    return found


@pytest.mark.usefixtures("path")
def test_a_shell_has_the_variables_and_the_certificate(applied: Path) -> None:
    environment = evaluated(applied)
    assert {name: environment[name] for name in _TRICKY} == _TRICKY
    assert environment["NOMAD_CACERT"] == environment["CONSUL_CACERT"]
    certificate = Path(environment["NOMAD_CACERT"])
    assert certificate.is_absolute()
    assert certificate.read_text().startswith("-----BEGIN CERTIFICATE-----\n")
    assert [each.name for each in certificate.parent.iterdir()] == ["ca.pem"]
    assert not list(applied.parent.rglob("made"))


def test_terraform_is_used_if_there_is_no_tofu(path: Path, applied: Path) -> None:
    (path / "tofu").rename(path / "terraform")
    assert json.loads(run("--terraform", str(applied), "--json", code=0).stdout).items() >= _TRICKY.items()


def test_warnings_of_the_program_are_ignored(
    path: Path, applied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(path / "not-there"))
    assert evaluated(applied).items() >= _TRICKY.items()


def test_an_error_names_both_programs_if_neither_is_installed(path: Path, applied: Path) -> None:
    (path / "tofu").unlink()
    refused = run("--terraform", str(applied), code=1)
    assert "neither `tofu` nor `terraform` is on the PATH" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "nothing is applied there"),
        ({"main.tf": _OUTPUTS}, "nothing is applied there"),
        ({"main.tf": "output {"}, "`tofu output` failed in"),
        ({"main.tf": 'terraform {\n  backend "local" {\n    path = "x"\n  }\n}'}, "run `tofu init` there"),
    ],
    ids=["empty", "not applied", "broken", "no backend"],
)
def test_an_error_names_a_folder_without_outputs(tmp_path: Path, files: dict[str, str], said: str) -> None:
    folder = tmp_path / "root"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    refused = run("--terraform", str(folder), code=1)
    assert said in refused.stderr
    assert refused.stdout == ""


@pytest.mark.usefixtures("path")
def test_an_error_names_a_folder_that_cannot_be_written_to(applied: Path) -> None:
    (applied / ".clipper-nomad").touch()
    refused = run("--terraform", str(applied), code=1)
    assert "Could not write the authority's certificate to" in refused.stderr
    assert refused.stdout == ""


def test_a_missing_folder_is_wrong_usage(tmp_path: Path) -> None:
    run("--terraform", str(tmp_path / "nowhere"), code=2)
    run(code=2)

"""The outputs of terraform/access as variables, and its policies beside those of the README."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from clipper_nomad.cli.environment import format_exports
from clipper_nomad.cli.terraform import parse_outputs
from clipper_nomad.errors import ClipperException
from tests.support.paths import REPOSITORY

_POLICIES = REPOSITORY / "terraform" / "access" / "policies"
_HERE = Path("/access")


def _outputs(**values: Any) -> dict[str, Any]:
    return {name: {"sensitive": True, "type": "any", "value": value} for name, value in values.items()}


def test_variables_and_certificate_are_taken_and_nothing_else() -> None:
    outputs = _outputs(environment={"NOMAD_ADDR": "https://a:4646"}, ca_pem="pem", tokens={"nomad": "secret"})
    assert parse_outputs(outputs, _HERE) == ({"NOMAD_ADDR": "https://a:4646"}, "pem")


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, r"/access has no outputs: nothing is applied there.*tofu apply"),
        (_outputs(nodes={}, access={}), r"has outputs, access, nodes, but not both"),
        (_outputs(ca_pem="pem"), r"has outputs, ca_pem, but not both.*`tofu apply` there to its end"),
        (_outputs(environment={"A": "b"}), r"has outputs, environment, but not both"),
        (_outputs(environment={"A; rm -rf": "b"}, ca_pem="pem"), r"but not both"),
        (_outputs(environment={"A": None}, ca_pem="pem"), r"but not both"),
    ],
    ids=["none", "another root's", "half applied", "no certificate", "no name of a variable", "no text"],
)
def test_outputs_that_are_not_those_of_access_are_refused(outputs: dict[str, Any], said: str) -> None:
    with pytest.raises(ClipperException, match=said):
        parse_outputs(outputs, _HERE)


def test_exports_are_quoted_for_a_shell() -> None:
    values = {"B": 'it\'s $(reboot) `x` "y"\n#', "A": "plain", "C": ""}
    lines = format_exports(values)
    assert shlex.split(lines) == ["export", "A=plain", "export", f"B={values['B']}", "export", "C="]


def test_the_library_s_policies_are_those_of_the_readme() -> None:
    readme = (REPOSITORY / "clipper_nomad" / "managers" / "nomad" / "README.md").read_text()
    section = readme.partition("## Tokens, TLS and the least policies")[2].partition("\n## ")[0]
    base, volume, consul = re.findall(r"```hcl\n(.*?)```", section, re.DOTALL)
    assert (_POLICIES / "consul" / "library.hcl").read_text() == consul
    nomad = (_POLICIES / "nomad" / "library.hcl.tftpl").read_text()
    assert nomad.startswith(base + "%{ if redis_volume")
    assert f'"dynamic" ~}}\n\n{volume}%{{ endif' in nomad

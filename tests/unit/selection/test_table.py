"""The policies of other packages: found by their entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_frontend.errors import PolicyRefusal
from clipper_frontend.selection import table
from clipper_frontend.selection.config import PolicyConfig

_POINTS = """\
[clipper_nomad.selection_policies]
always_first = first_policy:AlwaysFirst
split = first_policy:AlwaysFirst
missing = first_policy:Nothing
broken = no_such_module_here:Policy
number = first_policy:NUMBER
"""
_MODULE = """\
from clipper_frontend.selection.policies.mean import Mean
class AlwaysFirst(Mean):
    name = "always_first"
NUMBER = 5
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "first_policy.py").write_text(_MODULE)
    info = tmp_path / "first_policy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: first-policy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    table._installed.cache_clear()
    yield
    table._installed.cache_clear()
    sys.modules.pop("first_policy", None)


def test_a_policy_of_another_package_is_found_and_named_among_the_choices() -> None:
    assert PolicyConfig.parse("always_first").policy("app", ["a", "b"]).arms == ("a", "b")
    assert table.policy_names()[-4:] == ["always_first", "broken", "missing", "number"]
    with pytest.raises(PolicyRefusal, match=r"use one of default, split,.* always_first"):
        table.find_policy("unheard_of")


def test_the_names_of_the_table_are_not_to_be_had() -> None:
    assert table.find_policy("split") is table.POLICIES["split"]


@pytest.mark.parametrize("name", ["missing", "broken"])
def test_one_that_cannot_be_loaded_says_why(name: str) -> None:
    with pytest.raises(PolicyRefusal, match=rf"the policy {name} \(.*\) cannot be loaded: .*no"):
        table.find_policy(name)


def test_an_entry_point_that_is_not_a_policy_is_refused_with_its_missing_attributes() -> None:
    message = "first_policy:NUMBER is not a policy: these attributes are missing: name, parameters"
    with pytest.raises(PolicyRefusal, match=message):
        table.find_policy("number")

"""The checks that hold for the model of every framework, through a real local cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.frameworks.case import SEEN, Seen
from tests.support.frameworks.environments import FrameworkEnvironment

_CASES = "tests.functional.frameworks.cases"
_TIMEOUT_S = 300.0
#: The answers of a cluster are the framework's own up to this, relatively.
_TOLERANCE = 1e-6


@pytest.mark.timeout(1500)
class FrameworkChecks:
    """The checks of one case. A subclass names the environment, the case, and what it must say."""

    environment: str
    case: str
    #: Part of the framework's words for the wrong input.
    wrong_input: str
    #: Part of the framework's words for the broken artefact.
    broken: str

    def test_answers_are_the_frameworks_own(self, seen: Seen) -> None:
        assert seen.mismatches == []
        assert 0 <= seen.difference <= _TOLERANCE

    def test_a_wrong_input_is_a_model_error_in_the_frameworks_words(self, seen: Seen) -> None:
        assert seen.wrong_input["default_reason"] == "model_error"
        assert self.wrong_input in seen.wrong_input["default_detail"]

    def test_a_broken_model_fails_the_deployment_with_a_reason(self, seen: Seen) -> None:
        assert self.broken in seen.broken

    def test_the_next_version_takes_over_without_a_default(self, seen: Seen) -> None:
        assert seen.replacing_queries > 0
        assert seen.replacing_defaults == 0
        assert 0 <= seen.others_difference <= _TOLERANCE

    def test_rolling_back_brings_the_old_answers(self, seen: Seen) -> None:
        assert 0 <= seen.back_difference <= _TOLERANCE


def run_case(python: FrameworkEnvironment, case: str, state_root: Path) -> Seen:
    """Run a case in the framework's environment, and return what it saw."""
    done = python.run(f"{_CASES}.{case}", str(state_root), timeout_s=_TIMEOUT_S)
    lines = [line for line in done.stdout.splitlines() if line.startswith(SEEN)]
    assert done.returncode == 0 and len(lines) == 1, done.stdout + done.stderr
    return Seen(**json.loads(lines[0].removeprefix(SEEN)))

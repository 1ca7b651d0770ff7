"""The shipped contract suite, run by pytest in another process as the author of a manager runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import REPOSITORY

_CONFTEST = 'pytest_plugins = ["clipper_nomad.testing.plugin"]\n'
_MODULE = """\
import pytest
from clipper_nomad.testing.contract import *
from tests.support.paper_manager import PaperHarness, PaperManager

class Manager(PaperManager):
    {body}

@pytest.fixture(scope="module")
def make_harness(tmp_path_factory):
    return lambda keeps_state=False: PaperHarness(tmp_path_factory.mktemp("papers"), Manager)
"""
#: What holds for a manager that runs nothing: all but the tests that ask frontends, or kill a process.
_RECORDS = """
    starting_a_running_cluster connecting_to_nothing another_process_connects nothing_works_before
    name_that_cannot_be_one taken_port elsewhere_is_refused two_clusters stop_leaves_nothing
    built_keeps_its_name counted_as_they_are_wanted deployed_once cannot_be_deployed
    scaling_leaves without_replicas never_deployed stopped_versions_are_gone logs_are_one_file
"""


def run(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(_CONFTEST)
    (folder / "test_manager.py").write_text(_MODULE.format(body=body))
    # Settings of this run of pytest are not those of that one.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # The author of a manager has no plugin but the suite's.
    options = ("-q", "-rA", "-p", "no:cacheprovider", "--strict-markers", "-W", "error")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments, "test_manager.py"],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(REPOSITORY), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def names_of(outcome: str, output: str) -> set[str]:
    return set(re.findall(rf"^{outcome} test_manager\.py::(\w+)", output, flags=re.MULTILINE))


def test_a_manager_of_records_passes_what_records_can_pass(tmp_path: Path) -> None:
    finished = run(tmp_path, "pass", "-k", " or ".join(_RECORDS.split()))
    assert finished.returncode == 0, finished.stdout
    assert len(names_of("PASSED", finished.stdout)) == len(_RECORDS.split())


@pytest.mark.parametrize(
    ("fault", "test"),
    [
        ("def stop_models(self, models): pass", "stopped_versions_are_gone_and_can_be_deployed_again"),
        ("def get_replicas(self): return {}", "replicas_are_counted_as_they_are_wanted_by_every_process"),
        ("def connect(self): pass", "connecting_to_nothing_says_what_to_do"),
        ("def remove_leftovers(self): return False", "a_stop_leaves_nothing_and_disconnects"),
        ("def tail_logs(self, model, lines=20): return ''", "nothing_works_before_the_cluster_is_connected"),
    ],
)
def test_a_faulty_manager_fails(tmp_path: Path, fault: str, test: str) -> None:
    finished = run(tmp_path, fault, "-k", test)
    assert finished.returncode == 1, finished.stdout
    assert names_of("FAILED", finished.stdout) == {f"test_{test}"}


def test_a_failure_shows_the_values(tmp_path: Path) -> None:
    finished = run(tmp_path, "def get_replicas(self): return {}", "-k", "test_replicas_are_counted")
    assert "where 0 = get_num_replicas(ModelVersion(name='sums', version='1'))" in finished.stdout


def test_marks_choose_tests(tmp_path: Path) -> None:
    kept = run(tmp_path, "pass", "--collect-only", "-m", "keeps_state").stdout
    smoke = run(tmp_path, "pass", "--collect-only", "-m", "smoke").stdout
    assert len(re.findall(r"::test_", kept)) == 2
    assert "test_a_stop_leaves_nothing_and_disconnects" in smoke


@pytest.mark.parametrize("imported", ["clipper_nomad", "clipper_nomad.cli", "clipper_nomad.testing"])
def test_only_the_suite_needs_pytest(imported: str) -> None:
    script = f"import sys; sys.modules['pytest'] = None; import {imported}"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_suite_says_what_to_install() -> None:
    script = "import sys; sys.modules['pytest'] = None; import clipper_nomad.testing.contract"
    refused = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "needs pytest: pip install 'clipper-nomad[testing]'" in refused.stderr

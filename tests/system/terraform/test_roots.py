"""Everything in terraform/ is formatted, valid and passes its own tests, with real providers or stand-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.docker.engine import MissingServiceError, give_up
from tests.support.tofu.check import (
    TERRAFORM,
    Tofu,
    check_folder,
    check_format,
    find_folders,
    require_checker,
)
from tests.support.tofu.providers import Providers

_FOLDERS = find_folders()


class _Summary:
    """Prints at the end of pytest's output which providers the tests used."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_sep("=", "terraform")
        terminalreporter.write_line(str(self._providers))


@pytest.fixture(scope="module")
def tofu(pytestconfig: pytest.Config) -> Tofu:
    """OpenTofu, with the real providers if these can be downloaded."""
    try:
        found = require_checker()
    except MissingServiceError as error:
        give_up(str(error))
        raise
    pytestconfig.pluginmanager.register(_Summary(found.providers))
    return found


def test_is_formatted(tofu: Tofu) -> None:
    check_format(tofu)


def test_all_roots_and_modules_are_found() -> None:
    wanted = {"access", "cluster", "modules/material", "modules/nodes", "modules/scaleway"}
    assert wanted <= set(_FOLDERS)
    assert {path.split("/")[0] for path in _FOLDERS} == {
        path.name for path in TERRAFORM.iterdir() if path.is_dir()
    }


@pytest.mark.parametrize("folder", _FOLDERS)
def test_is_valid_and_passes_its_tests(folder: str, tofu: Tofu, tmp_path: Path) -> None:
    printed = check_folder(tofu, folder, tmp_path)
    assert "Success! The configuration is valid." in printed

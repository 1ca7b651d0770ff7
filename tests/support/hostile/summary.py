"""The hostile suite's counts at the end of a run of pytest, whichever process had the tests."""

from __future__ import annotations

from typing import Any

from tests.support.hostile.counts import PROPERTY


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write a line for each module that ran."""
    reports = [each for kind in terminalreporter.stats.values() for each in kind if hasattr(each, "when")]
    lines = [
        value
        for report in reports
        if report.when == "teardown"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("hostile input, kills and interrupts")
        for line in sorted(lines):
            terminalreporter.write_line(line)

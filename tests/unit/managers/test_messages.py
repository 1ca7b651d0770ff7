"""The messages that managers share: what models logged is shown, and steers no terminal."""

from __future__ import annotations

import pytest

from clipper_nomad.managers import messages

LINES = "loading \x1b[31mred\x1b[0m\r100%\r\nValueError: \u202egnp\n"
SHOWN = "loading \\x1b[31mred\\x1b[0m\n100%\nValueError: \\u202egnp"


def test_a_models_log_steers_no_terminal() -> None:
    assert messages.join_logs({"0": LINES}) == SHOWN
    assert SHOWN in messages.join_logs({"0": LINES, "1": LINES})


def test_the_log_in_an_error_steers_no_terminal() -> None:
    assert messages.describe_log(LINES).endswith(SHOWN)
    assert messages.describe_failing("It", 1, "exit status 1", LINES).endswith(SHOWN)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (128, "exit status 128"),
        (137, "exit status 137 (SIGKILL)"),
        (139, "exit status 139 (SIGSEGV)"),
        (255, "exit status 255"),
    ],
)
def test_an_exit_status_names_the_signal_that_it_stands_for(status: int, words: str) -> None:
    assert messages.describe_exit(status) == words


def test_the_last_end_is_found_in_a_replicas_log() -> None:
    first = "2026-01-01T00:00:00.000Z ERROR clipper.container the replica's process was killed by signal 6"
    last = "2026-01-01T00:00:01.000Z ERROR clipper.container the model has been running one batch for 60.1 s"
    other = "2026-01-01T00:00:02.000Z ERROR clipper.container the model failed: ValueError"
    assert messages.find_end(f"{first}\n{last}\n{other}\n").startswith("the model has been running one batch")
    assert messages.find_end(first).endswith("killed by signal 6")
    assert messages.find_end(other) == ""

"""The messages that managers share: what models logged is shown, and steers no terminal."""

from __future__ import annotations

from clipper_nomad.managers import messages

LINES = "loading \x1b[31mred\x1b[0m\r100%\r\nValueError: \u202egnp\n"
SHOWN = "loading \\x1b[31mred\\x1b[0m\n100%\nValueError: \\u202egnp"


def test_a_models_log_steers_no_terminal() -> None:
    assert messages.join_logs({"0": LINES}) == SHOWN
    assert SHOWN in messages.join_logs({"0": LINES, "1": LINES})


def test_the_log_in_an_error_steers_no_terminal() -> None:
    assert messages.describe_log(LINES).endswith(SHOWN)
    assert messages.describe_failing("It", 1, "exit status 1", LINES).endswith(SHOWN)

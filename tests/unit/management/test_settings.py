"""Flags, environment variables and the form of log records, which both frontends share."""

from __future__ import annotations

import argparse
import logging
import re
import sys

import pytest

from clipper_frontend.logs import OneLineFormatter
from clipper_frontend.management.main import parse_settings
from clipper_frontend.registry.connection import RedisSettings
from clipper_frontend.settings import CommonSettings, add_common_arguments, add_setting, port, variable_of


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser, admin_port=None)
    for action in parser._actions:
        for flag in action.option_strings:
            monkeypatch.delenv(variable_of(flag), raising=False)
    monkeypatch.delenv("CLIPPER_PORT", raising=False)


def test_defaults() -> None:
    settings = parse_settings([])
    assert settings.port == 1338
    assert settings.body_timeout_s == 60.0
    assert settings.common == CommonSettings(
        cluster_name="default-cluster",
        redis=RedisSettings("127.0.0.1:6379"),
        host="127.0.0.1",
        admin_host="127.0.0.1",
        admin_port=None,
        log_level="info",
        drain_delay_s=5.0,
        drain_timeout_s=30.0,
    )


def test_flags() -> None:
    flags = (
        "--redis srv:redis.service --redis-username u --redis-password p --redis-tls --redis-ca-file ca.pem"
    )
    flags += (
        " --dns 127.0.0.1:8600 --port 0 --admin-port 0 --drain-delay-s 0.5 --cluster-name c --log-level debug"
    )
    settings = parse_settings(flags.split())
    assert settings.common.redis == RedisSettings(
        "srv:redis.service", "u", "p", True, "ca.pem", "127.0.0.1:8600"
    )
    assert (settings.port, settings.common.admin_port, settings.common.drain_delay_s) == (0, 0, 0.5)
    assert (settings.common.cluster_name, settings.common.log_level) == ("c", "debug")


def test_the_environment_gives_defaults_that_flags_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPPER_REDIS_PASSWORD", "p")
    monkeypatch.setenv("CLIPPER_REDIS_TLS", "1")
    monkeypatch.setenv("CLIPPER_PORT", "81")
    monkeypatch.setenv("CLIPPER_CLUSTER_NAME", "")
    settings = parse_settings([])
    assert (settings.common.redis.password, settings.common.redis.tls) == ("p", True)
    assert settings.port == 81
    assert settings.common.cluster_name == "default-cluster"
    assert parse_settings(["--port", "82"]).port == 82


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--port", "65536"], "65536 is not a port"),
        (["--port", "x"], "argument --port: invalid port value: 'x'"),
        (["--drain-delay-s", "-1"], "-1.0 is not a time"),
        (["--drain-delay-s", "nan"], "nan is not a time"),
        (["--redis", "nowhere"], "nowhere"),
        (["--log-level", "loud"], "invalid choice: 'loud'"),
    ],
)
def test_bad_settings_exit_with_code_2(
    flags: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        parse_settings(flags)
    assert exited.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_bad_variable_is_refused_like_a_bad_flag(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLIPPER_PORT", "x")
    with pytest.raises(SystemExit):
        parse_settings([])
    assert "argument --port: invalid port value: 'x'" in capsys.readouterr().err


def test_help_names_the_variable(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_setting(parser, "--some-port", parse=port, default=7, help="a port")
    parser.print_help()
    assert "a port (default: 7) [CLIPPER_SOME_PORT]" in capsys.readouterr().out


def test_a_record_is_one_line_with_its_traceback() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord("clipper.x", logging.ERROR, "", 0, "a\nb", (), sys.exc_info())
    line = OneLineFormatter().format(record)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ERROR clipper\.x a \| b \| Traceback", line)
    assert line.endswith("ValueError: first | second")
    assert "\n" not in line


@pytest.mark.parametrize("name", ["a\x1b]0;title\x07", "a\u202eb", "a\x9bb", "a\x08\x7f"])
def test_a_record_shows_what_others_wrote_without_what_steers_a_terminal(name: str) -> None:
    record = logging.LogRecord("clipper.x", logging.WARNING, "", 0, "refused %s", (name,), None)
    line = OneLineFormatter().format(record)
    assert line.isprintable()
    assert line.endswith(f"refused {name.encode('unicode_escape').decode()}")


def test_a_record_has_a_bounded_length() -> None:
    record = logging.LogRecord("clipper.x", logging.WARNING, "", 0, "x" * 1_000_000, (), None)
    assert len(OneLineFormatter().format(record)) < 17_000

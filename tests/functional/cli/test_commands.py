"""The command line against a real cluster: its output for people and for programs, and its errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.testing.models import variable
from tests.support.local_clusters import LocalCluster
from tests.support.models import row_sums
from tests.support.processes import eventually


class CommandLine:
    """`clipper-nomad` on one cluster, which the environment names."""

    def __init__(self, cluster: LocalCluster) -> None:
        settings = {f"CLIPPER_{setting.upper()}": str(port) for setting, port in cluster.ports.items()}
        own = {
            "CLIPPER_STATE_DIR": str(cluster.state_root),
            "CLIPPER_CLUSTER_NAME": "tests",
            "COLUMNS": "200",
        }
        self._environment = {**os.environ, **settings, **own}

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command, and require its exit code."""
        result = subprocess.run(
            [sys.executable, "-m", "clipper_nomad.cli", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result

    def json(self, *arguments: str) -> Any:
        """Run a command that prints JSON, and return it."""
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Return the command line on a started cluster, where version 1 of `sums` answers application `app`."""
    with LocalCluster(tmp_path_factory.mktemp("state")) as cluster:
        made = CommandLine(cluster)
        made.run("start", "--frontends", "2")
        folder = tmp_path_factory.mktemp("model")
        save_closure(row_sums(), folder)
        made.run("models", "deploy", "sums", "1", str(folder), "--input-type", "doubles")
        made.run(
            "apps", "add", "app", "--input-type", "d", "--slo-micros", "1000000", "--default-output", "none"
        )
        made.run("apps", "link", "app", "sums")
        yield made


def test_status_shows_the_whole_cluster(cli: CommandLine) -> None:
    status = cli.json("status")
    assert status["cluster"] == "tests"
    assert status["query_address"].startswith("127.0.0.1:")
    assert [each["ready"] for each in status["query_frontends"]] == [["sums:1"], ["sums:1"]]
    (model,) = (each for each in status["models"] if each["version"] == "1")
    assert (model["current"], model["serving"], model["replicas_wanted"]) == (True, True, 1)
    assert (model["replicas_connected"], model["last_end"]) == (1, None)
    (app,) = status["applications"]
    assert (app["name"], app["linked_models"], app["latency_slo_micros"]) == ("app", ["sums"], 1000000)
    shown = cli.run("status").stdout
    for text in ("Query frontends", "Models", "Applications", "sums", "app", status["query_address"]):
        assert text in shown


def test_a_query_prints_the_answer_and_its_latency(cli: CommandLine) -> None:
    def answered() -> bool:
        return bool(cli.json("query", "app", "[1, 2, 3.5]")["answer"]["output"] == 6.5)

    eventually(answered, "the link is followed")
    assert cli.json("query", "app", "[1, 2, 3.5]")["latency_ms"] > 0
    batch = cli.run("query", "app", '{"input_batch": [[1, 2], [3, 4]]}')
    assert [each["output"] for each in json.loads(batch.stdout)["batch_predictions"]] == [3.0, 7.0]
    assert "answered in" in batch.stderr


def test_a_refused_query_is_one_line_and_no_trace(cli: CommandLine) -> None:
    result = cli.run("query", "app", "words", code=1)
    assert result.stderr.startswith("error: The query frontend refused the query with status 400")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert "404" in cli.run("query", "unknown", "[1]", code=1).stderr


def test_applications_are_listed_shown_changed(cli: CommandLine) -> None:
    cli.run("apps", "add", "second", "--input-type", "strings", "--on-default", "error")
    assert [each["name"] for each in cli.json("apps", "list")] == ["app", "second"]
    assert "second" in cli.run("apps", "list").stdout
    assert cli.json("apps", "show", "second")["input_type"] == "strings"
    cli.run("apps", "delete", "second")
    assert [each["name"] for each in cli.json("apps", "list")] == ["app"]
    cli.run("apps", "unlink", "app", "sums")
    assert cli.json("apps", "show", "app")["linked_models"] == []
    cli.run("apps", "link", "app", "sums")


def test_models_are_scaled_switched_and_stopped(cli: CommandLine, tmp_path: Path) -> None:
    save_closure(row_sums(), tmp_path)
    cli.run("models", "deploy", "sums", "2", str(tmp_path), "--input-type", "doubles")
    assert [each["version"] for each in cli.json("models", "list")] == ["1", "2"]
    assert cli.json("models", "show", "sums")["version"] == "2"
    cli.run("models", "set-version", "sums", "1")
    assert cli.json("models", "show", "sums")["version"] == "1"
    cli.run("models", "scale", "sums", "2", "--version", "2")
    assert cli.json("models", "show", "sums", "--version", "2")["replicas_connected"] == 2
    cli.run("models", "stop", "sums", "--version", "2")
    assert [each["version"] for each in cli.json("models", "list")] == ["1"]


def test_a_deployment_has_its_options_from_the_command_line(cli: CommandLine, tmp_path: Path) -> None:
    save_closure(variable("GREETING"), tmp_path)
    deploy = ("models", "deploy", "greeting", "1", str(tmp_path), "--input-type", "strings")
    options = ("--output-type", "string", "--cache-ttl-s", "5", "--sample-input", "[1]")
    cli.run(*deploy, *options, "--env", "GREETING=1=1", "--env", "EMPTY=")
    cli.run("apps", "add", "greeted", "--input-type", "strings", "--slo-micros", "5000000")
    cli.run("apps", "link", "greeted", "greeting")
    assert cli.json("query", "greeted", "who")["answer"]["output"] == "1=1"
    shown = cli.json("models", "show", "greeting")
    assert (shown["output_type"], shown["cache_ttl_s"]) == ("string", 5.0)
    cli.run("models", "purge-cache", "greeting")
    assert "does not exist" in cli.run("models", "purge-cache", "greeting", "--version", "2", code=1).stderr
    cli.run("models", "purge-cache", "greeting", "--replica", "its instance id")
    assert "use NAME=VALUE" in cli.run(*deploy, "--env", "GREETING", code=2).stderr
    cli.run("apps", "delete", "greeted")
    cli.run("models", "stop", "greeting")


def test_policies_are_set_and_shown(cli: CommandLine) -> None:
    policy = ("--policy", "split", "--arm", "sums:1=3", "--arm", "sums:2")
    cli.run("apps", "add", "choosing", "--input-type", "d", "--slo-micros", "5000000", *policy)
    assert "linked to it: sums. Link them" in " ".join(cli.run("apps", "show", "choosing").stdout.split())
    cli.run("apps", "link", "choosing", "sums")
    shown = cli.json("apps", "show", "choosing")
    assert (shown["policy"], shown["policy_config"]["arms"]) == ("split", {"sums:1": 3.0, "sums:2": 1.0})
    assert shown["policy_state"]["arms"]["sums:1"]["share"] == 0.75
    for text in ("Policy split", "sums:1", "0.7500"):
        assert text in cli.run("apps", "show", "choosing").stdout

    cli.run("apps", "set-policy", "choosing", '{"name": "exp3", "loss": "squared", "range": [0, 10]}')
    cli.run("apps", "link", "choosing", "sums", "--weight", "1")
    shown = cli.json("apps", "show", "choosing", "--user", "anna")
    assert shown["policy_config"]["arms"] == ["sums"]
    assert (shown["policy_state"]["loss"], shown["policy_state"]["user_id"]) == ("squared", "anna")
    answer = cli.json("query", "choosing", "[1, 2]", "--user", "anna")["answer"]
    assert (answer["output"], answer["models"]) == (3.0, ["sums:1"])
    assert "of user anna" in cli.run("apps", "show", "choosing", "--user", "anna").stdout
    cli.run("apps", "delete", "choosing")


def test_a_registry_that_was_not_lost_is_not_put_back(cli: CommandLine) -> None:
    refused = cli.run("registry", "restore", code=1)
    assert "there is nothing to put back" in refused.stderr


def test_logs_are_shown_or_saved(cli: CommandLine, tmp_path: Path) -> None:
    assert "sums:1" in cli.run("logs", "sums:1").stdout
    paths = cli.json("logs", "--to", str(tmp_path))
    assert f"{tmp_path}/tests-query-frontend-1.log" in paths
    assert all(Path(path).exists() for path in paths)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("apps", "show", "absent"), "Application absent is unknown"),
        (("apps", "add", "app", "--input-type", "doubles"), "app"),
        (("apps", "add", "b", "--input-type", "doubles", "--policy", "best"), "use one of default, split"),
        (("apps", "set-policy", "absent", "exp3"), "No app with name 'absent' exists"),
        (("models", "show", "absent"), "absent has no current version"),
        (("models", "set-version", "sums", "9"), "9"),
        (("--cluster-name", "absent", "status"), "start_clipper"),
        (("--cluster-name", "No_Label", "status"), "'No_Label' cannot be used"),
    ],
)
def test_what_the_library_refuses_is_an_error_and_no_trace(
    cli: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    result = cli.run(*arguments, code=1)
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_usage_exits_with_two(cli: CommandLine) -> None:
    assert "'absent' is unknown: use local" in cli.run("--manager", "absent", "status", code=2).stderr
    cli.run("models", "stop", "sums", "--version", "1", "--inactive", code=2)
    assert "is not a number" in cli.run("apps", "set-policy", "app", "split", "--arm", "m=x", code=2).stderr


def test_a_kept_cluster_comes_back_and_a_stopped_one_is_gone(tmp_path: Path) -> None:
    with LocalCluster(tmp_path) as cluster:
        cli = CommandLine(cluster)
        cli.run("start")
        cli.run("apps", "add", "app", "--input-type", "doubles")
        cli.run("stop", "--keep-state")
        assert not cluster.live_processes()
        cli.run("start")
        assert [each["name"] for each in cli.json("apps", "list")] == ["app"]
        cli.run("stop", "--now")
        assert not cluster.live_processes()
        assert not cluster.state.path.exists()
        assert "there is none" in cli.run("stop", code=1).stderr

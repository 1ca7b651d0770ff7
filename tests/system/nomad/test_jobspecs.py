"""The rendered jobspecs, read by a real Nomad."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from dataclasses import replace
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from clipper_nomad.jobspecs import AnyJob, Interpolated, RedisJob, render
from clipper_nomad.jobspecs.hcl import hcl
from clipper_nomad.managers.nomad.drivers import ExecDriver, RawExecDriver
from tests.support.nomad import jobspec_examples
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.tools import require_tools

EXAMPLES: dict[str, AnyJob] = {
    f"{component} {kind}": job
    for kind, jobs in {
        "at its defaults": jobspec_examples.at_defaults(),
        "at its fullest": jobspec_examples.at_fullest(),
        "with exec": jobspec_examples.without_images(ExecDriver("/opt/clipper/bin")),
        "with raw_exec": jobspec_examples.without_images(RawExecDriver()),
    }.items()
    for component, job in jobs.items()
}
FULLEST = jobspec_examples.at_fullest()
_NANOSECONDS = 1_000_000_000
TEXTS = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\$%{}\n'))


class Parser:
    """Nomad's own parser, and its command line."""

    def __init__(self, cluster: NomadCluster) -> None:
        self._cluster = cluster
        self._session = requests.Session()

    def parse(self, text: str) -> dict[str, Any]:
        """Return a job as Nomad reads it."""
        url = f"{self._cluster.environment['NOMAD_ADDR']}/v1/jobs/parse"
        answer = self._session.post(url, json={"JobHCL": text, "Canonicalize": True}, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def run(self, arguments: list[str], text: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Nomad that reads a jobspec from its input."""
        environment = {**os.environ, **self._cluster.environment}
        command = [str(require_tools().nomad), *arguments, "-"]
        return subprocess.run(
            command, input=text, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def close(self) -> None:
        """Close the connection."""
        self._session.close()


@pytest.fixture(scope="module")
def parser(nomad_cluster: NomadCluster, request: pytest.FixtureRequest) -> Parser:
    """The parser of the cluster's Nomad."""
    made = Parser(nomad_cluster)
    request.addfinalizer(made.close)
    return made


def task_of(job: dict[str, Any]) -> dict[str, Any]:
    (group,) = job["TaskGroups"]
    (task,) = group["Tasks"]
    found: dict[str, Any] = task
    return found


def checks_of(task: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (service["PortLabel"], check["Name"]): check
        for service in task["Services"]
        for check in service["Checks"]
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_nomad_accepts_the_jobspec_as_written(parser: Parser, name: str) -> None:
    text = render(EXAMPLES[name])
    validated = parser.run(["job", "validate"], text)
    assert validated.returncode == 0, validated.stdout + validated.stderr
    formatted = parser.run(["fmt"], text)
    assert formatted.returncode == 0, formatted.stderr
    assert formatted.stdout == text


@pytest.mark.parametrize("name", EXAMPLES)
def test_stopping_and_starting_again_fit_together(parser: Parser, name: str) -> None:
    job = parser.parse(render(EXAMPLES[name]))
    task, group = task_of(job), job["TaskGroups"][0]
    assert task["KillSignal"] == "SIGTERM"
    drain_timeout_s = float(task["Env"].get("CLIPPER_DRAIN_TIMEOUT_S", "0")) if task["Env"] else 0
    assert drain_timeout_s * _NANOSECONDS < task["KillTimeout"] <= 30 * _NANOSECONDS
    assert group["RestartPolicy"]["Mode"] == "fail"
    assert group["ReschedulePolicy"]["Unlimited"] is True
    assert group["ReschedulePolicy"]["DelayFunction"] == "exponential"
    assert group["Update"]["MaxParallel"] == 1


@pytest.mark.parametrize(
    ("component", "paths"),
    [
        ("redis", {("redis", "ready"): ""}),
        (
            "query-frontend",
            {
                ("query", "ready"): "/health/ready",
                ("query", "live"): "/health/live",
                ("rpc", "ready"): "/health/rpc",
            },
        ),
        (
            "management-frontend",
            {("management", "ready"): "/health/ready", ("management", "live"): "/health/live"},
        ),
        ("model", {("admin", "ready"): "/health/ready", ("admin", "live"): "/health/live"}),
    ],
)
def test_liveness_alone_restarts(parser: Parser, component: str, paths: dict[tuple[str, str], str]) -> None:
    checks = checks_of(task_of(parser.parse(render(FULLEST[component]))))
    assert {name: check["Path"] for name, check in checks.items()} == paths
    for (_, name), check in checks.items():
        assert (check["CheckRestart"] is not None) == (name == "live")
        assert check["InitialStatus"] == ("passing" if name == "live" else "")


def test_jobs_are_found_by_their_meta(parser: Parser) -> None:
    job = parser.parse(render(FULLEST["model"]))
    assert job["ID"] == "clipper.iris.model.resnet.2"
    assert job["Meta"] == {
        "clipper-nomad.cluster": "iris",
        "clipper-nomad.component": "model",
        "clipper-nomad.version": "0.1.0",
        "clipper-nomad.model.name": "resnet",
        "clipper-nomad.model.version": "2",
        "note": 'a "quoted" ${word}',
        "clipper-nomad.spec": '{"a": 1}',
    }


def test_placement_says_what_was_asked_for(parser: Parser) -> None:
    wanted = FULLEST["model"]
    location = replace(wanted.location, namespace="serving")
    scheduling = replace(wanted.scheduling, node_pool="gpu")
    job = parser.parse(render(replace(wanted, location=location, scheduling=scheduling)))
    assert (job["Region"], job["Namespace"], job["NodePool"], job["Priority"]) == (
        "global",
        "serving",
        "gpu",
        70,
    )
    assert job["Datacenters"] == ["dc1", "dc*"]
    constraints = {(found["LTarget"], found["Operand"], found["RTarget"]) for found in job["Constraints"]}
    assert constraints == {
        ("${attr.kernel.name}", "=", "linux"),
        ("${meta.rack-row.name}", "is_set", ""),
        ("${attr.cpu.arch}", "regexp", "amd64|arm64"),
        ("", "distinct_hosts", "true"),
    }
    assert [found["Weight"] for found in job["Affinities"]] == [-20, 50]
    assert job["Spreads"][0]["SpreadTarget"] == [
        {"Value": "dc1", "Percent": 70},
        {"Value": "d c 2", "Percent": 30},
    ]
    gpu, card = task_of(job)["Resources"]["Devices"]
    assert (gpu["Name"], gpu["Count"], card["Name"], card["Count"]) == ("nvidia/gpu", 2, "example/card", 1)
    assert [(found["LTarget"], found["Operand"], found["RTarget"]) for found in gpu["Constraints"]] == [
        ("${device.attr.memory}", ">=", "8 GiB"),
        ("${device.attr.uuid}", "is_set", ""),
    ]
    assert gpu["Affinities"][0]["RTarget"] == "A.*"


@pytest.mark.parametrize("component", ["query-frontend", "model"])
def test_replicas_are_spread_over_nodes_unless_told_otherwise(parser: Parser, component: str) -> None:
    group = parser.parse(render(jobspec_examples.at_defaults()[component]))["TaskGroups"][0]
    assert [spread["Attribute"] for spread in group["Spreads"]] == ["${node.unique.id}"]
    assert not parser.parse(render(FULLEST[component]))["TaskGroups"][0]["Spreads"]


def test_hostile_values_in_a_job_stay_values(parser: Parser) -> None:
    task = task_of(parser.parse(render(FULLEST["redis"])))
    found = [task["Env"][f"HOSTILE_{number}"] for number in range(len(jobspec_examples.HOSTILE))]
    assert found == list(jobspec_examples.HOSTILE)
    job = FULLEST["redis"]
    assert isinstance(job, RedisJob)
    assert task["Config"]["args"] == ["--dir", "/data", "--requirepass", job.password]
    assert task["Config"]["auth"] == [{"username": "me", "password": 'pass"${word}'}]


@given(texts=st.lists(TEXTS, max_size=20), keys=st.dictionaries(TEXTS, TEXTS, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_from_nomads_parser(
    parser: Parser, texts: list[str], keys: dict[str, str]
) -> None:
    # HCL brings text into this form.
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    keys = {unicodedata.normalize("NFC", key): unicodedata.normalize("NFC", keys[key]) for key in keys}
    lines = ['job "x" {', 'group "g" {', 'task "t" {', 'driver = "raw_exec"']
    lines += ["config {", f"args = {hcl(texts)}", "}", f"meta = {hcl(keys)}", "}", "}", "}"]
    task = task_of(parser.parse("\n".join(lines)))
    assert (task["Config"]["args"] or []) == texts
    assert (task["Meta"] or {}) == keys


def test_interpolated_text_is_nomads_to_fill_in(parser: Parser) -> None:
    text = hcl(Interpolated('"${NOMAD_PORT_rpc} ${attr.unique.network.ip-address} ${upper("x")}'))
    lines = ['job "x" {', 'group "g" {', 'task "t" {', 'driver = "raw_exec"', "config {", f"args = [{text}]"]
    task = task_of(parser.parse("\n".join([*lines, "}", "}", "}", "}"])))
    assert task["Config"]["args"] == ['"${NOMAD_PORT_rpc} ${attr.unique.network.ip-address} ${upper("x")}']

"""A cluster on Nomad from a terminal, found by its environment: rendered, started, used, kept, removed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.nomad import DynamicVolume, NomadContainerManager
from tests.contract.nomad_harness import NomadHarness
from tests.support.models import row_sums
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.tools import require_tools
from tests.support.processes import BIN, eventually

pytestmark = pytest.mark.timeout(300)
_STOPPING = ("KillSignal", "KillTimeout", "ShutdownDelay")
_FOREIGN = ("NOMAD_", "CONSUL_", "CLIPPER_")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def harness(nomad_cluster: NomadCluster, image_settings: ImageSettings) -> Iterator[NomadHarness]:
    with NomadHarness(nomad_cluster, image_settings, redis_volume=DynamicVolume()) as made:
        yield made


@pytest.fixture
def variables(harness: NomadHarness, image_settings: ImageSettings) -> dict[str, str]:
    """The environment that describes the whole cluster."""
    return {
        **harness.place.environment,
        "CLIPPER_MANAGER": "nomad",
        "CLIPPER_CLUSTER_NAME": harness.cluster_name,
        "CLIPPER_FABIO_TCP_PORT": str(harness.tcp_port),
        "CLIPPER_REDIS_VOLUME": "dynamic",
        "CLIPPER_BASE_IMAGE": image_settings.base_image or "",
        "CLIPPER_BUILD_NETWORK": image_settings.build_network or "",
    }


@pytest.fixture
def run(variables: dict[str, str]) -> Run:
    """Return a function that runs `clipper-nomad`, with more variables if given."""

    def run_command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        command = [str(BIN / "clipper-nomad"), *arguments]
        environment = {**kept, **variables, **more}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run_command


def succeed(run: Run, *arguments: str) -> str:
    result = run(*arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A model's folder."""
    made = tmp_path / "sums"
    save_closure(row_sums(), made)
    return str(made)


def what_counts(job: dict[str, Any]) -> dict[str, Any]:
    """Return the given fields of a job; Nomad fills in others, and more of networks at its registration."""
    (group,) = job["TaskGroups"]
    (task,) = group["Tasks"]
    parts = {
        "job": (job, ("ID", "Name", "Namespace", "Type", "Datacenters", "Priority", "Meta", "Constraints")),
        "group": (group, ("Name", "Count", "Volumes", "RestartPolicy", "Spreads")),
        "task": (task, ("Name", "Driver", "Config", "Env", "VolumeMounts", *_STOPPING)),
        "resources": (task["Resources"], ("CPU", "MemoryMB", "Devices")),
    }
    found = {part: {name: values[name] for name in names} for part, (values, names) in parts.items()}
    ports = [(port["Label"], port["To"]) for port in group["Networks"][0]["DynamicPorts"]]
    services = [(each["Name"], each["PortLabel"], each["Tags"], each["Meta"]) for each in task["Services"]]
    return {**found, "ports": ports, "services": services}


def test_a_cluster_is_rendered_started_used_kept_and_removed(
    harness: NomadHarness, run: Run, folder: str, tmp_path: Path
) -> None:
    rendered = tmp_path / "rendered"
    succeed(run, "render", "--to", str(rendered), "--frontends", "2")
    assert harness.is_gone()
    succeed(run, "start", "--frontends", "2")
    assert len(list(rendered.iterdir())) == 3
    for path in rendered.iterdir():
        check_registered(harness, path)

    succeed(run, "apps", "add", "app", "--input-type", "doubles", "--slo-micros", "5000000")
    succeed(run, "models", "deploy", "sums", "1", folder, "--input-type", "doubles")
    succeed(run, "apps", "link", "app", "sums")
    answer = json.loads(succeed(run, "query", "app", "[1, 2]", "--json"))["answer"]
    assert (answer["output"], answer["default"]) == (3.0, False)
    succeed(run, "models", "scale", "sums", "2")

    status = json.loads(succeed(run, "status", "--json"))
    fabio = f"{harness.place.address}:{harness.place.plan.ports.fabio_http}"
    assert status["query_address"] == f"{fabio}/clipper-{harness.cluster_name}"
    assert len(status["query_frontends"]) == 2
    assert [each["name"] for each in json.loads(succeed(run, "apps", "list", "--json"))] == ["app"]
    (model,) = json.loads(succeed(run, "models", "list", "--json"))
    assert (model["replicas_wanted"], model["replicas_connected"]) == (2, 2)
    assert "sums" in succeed(run, "logs", "sums", "--lines", "5")
    logs = json.loads(succeed(run, "logs", "--to", str(tmp_path / "logs"), "--json"))
    assert {f"{harness.cluster_name}-{part}.log" for part in harness.parts()} <= {Path(p).name for p in logs}

    succeed(run, "stop", "--keep-state")
    assert harness.parts() == {}
    refused = run("status")
    assert refused.returncode == 1
    assert "its state is there" in refused.stderr
    succeed(run, "start")

    def answered() -> bool:
        answer = json.loads(succeed(run, "query", "app", "[3, 4]", "--json"))["answer"]
        return bool(answer["output"] == 7.0)

    # A frontend waits ten seconds for its models, and then serves without them.
    eventually(answered, "the models are back")
    succeed(run, "stop", "--now")
    assert harness.is_gone()
    refused = run("stop")
    assert refused.returncode == 1
    assert "start_clipper()" in refused.stderr


def check_registered(harness: NomadHarness, path: Path) -> None:
    """Check that a rendered job is valid, and equals the one in Nomad."""
    nomad, environment = harness.place.nomad, {**os.environ, **harness.place.environment}
    command = [str(require_tools().nomad), "job", "validate", str(path)]
    validated = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert validated.returncode == 0, validated.stdout + validated.stderr
    assert "Job validation successful" in validated.stdout

    body = {"JobHCL": path.read_text(), "Canonicalize": True}
    parsed = nomad.request("POST", "/v1/jobs/parse", body)
    assert path.name == f"{parsed['ID']}.nomad.hcl"
    job_id = quote(parsed["ID"], safe="")
    registered = nomad.request("GET", f"/v1/job/{job_id}")
    assert what_counts(registered) == what_counts(parsed)
    plan = nomad.request("POST", f"/v1/job/{job_id}/plan", {"Job": parsed, "Diff": True})
    assert plan["Diff"]["Type"] == "None"


def test_a_models_job_is_rendered_as_it_would_be_deployed(
    harness: NomadHarness, run: Run, tmp_path: Path
) -> None:
    image = f"registry.example/sums@sha256:{'0a' * 32}"
    more = [
        "--model",
        "sums:1",
        "--image",
        image,
        "--input-type",
        "floats",
        "--replicas",
        "3",
        "--cpu",
        "1.5",
    ]
    succeed(run, "render", "--to", str(tmp_path), *more, "--memory", "100", "--env", "GREETING=hi")
    text = (tmp_path / f"clipper.{harness.cluster_name}.model.sums.1.nomad.hcl").read_text()
    parsed = harness.place.nomad.request("POST", "/v1/jobs/parse", {"JobHCL": text, "Canonicalize": True})
    (group,) = parsed["TaskGroups"]
    (task,) = group["Tasks"]
    assert group["Count"] == 3
    assert task["Config"]["image"] == image
    assert (task["Resources"]["CPU"], task["Resources"]["MemoryMB"]) == (1500, 100)
    assert (task["Env"]["CLIPPER_INPUT_TYPE"], task["Env"]["GREETING"]) == ("floats", "hi")
    fabio = f"{harness.place.address}:{harness.tcp_port}"
    srv = f"srv:clipper-{harness.cluster_name}-rpc.service.consul"
    assert task["Env"]["CLIPPER_RPC_ADDRESS"] == f"{fabio},{srv}"
    assert harness.is_gone()


@pytest.mark.parametrize(
    ("arguments", "more", "said"),
    [
        (["start", "--query-port", "8000"], {}, "leave --host, --query-port"),
        (["render", "--model", "sums:1"], {}, "needs both --model NAME:VERSION and --image"),
        (["render"], {"CLIPPER_MANAGER": "docker"}, "has no jobspecs: use --manager nomad"),
        (["start"], {"CLIPPER_DRIVER": "podman"}, "CLIPPER_DRIVER is 'podman': use docker, exec or raw_exec"),
        (["start"], {"CLIPPER_FABIO_TCP_PORT": "rpc"}, "CLIPPER_FABIO_TCP_PORT is 'rpc'"),
        (["status"], {"NOMAD_ADDR": "ftp://here"}, "NOMAD_ADDR is 'ftp://here'"),
        (["status"], {"NOMAD_ADDR": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be reached"),
        (["status"], {"CLIPPER_DNS": "a b"}, "ConsulDNS was given server='a b'"),
        (["status"], {}, "there is none in Nomad's namespace 'default'"),
    ],
)
def test_impossible_commands_are_one_line_of_error(
    harness: NomadHarness, run: Run, arguments: list[str], more: dict[str, str], said: str
) -> None:
    refused = run(*arguments, **more)
    assert refused.returncode == 1
    assert said in " ".join(refused.stderr.split())
    assert "Traceback" not in refused.stderr
    assert harness.is_gone()


def test_a_manager_of_the_environment_finds_the_cluster_that_another_started(
    harness: NomadHarness, variables: dict[str, str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A cluster that starts in less time.
    del variables["CLIPPER_REDIS_VOLUME"]
    succeed(run, "start")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    manager = NomadContainerManager.from_env(harness.cluster_name)
    manager.connect()
    assert manager.get_query_address().endswith(f"/clipper-{harness.cluster_name}")
    with pytest.raises(ContainerManagerError, match="there is none in Nomad's namespace"):
        NomadContainerManager.from_env("another-one").connect()

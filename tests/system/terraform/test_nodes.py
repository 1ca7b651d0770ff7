"""The files that terraform/modules/nodes renders, read by the programs that they are for."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.docker.engine import give_up
from tests.support.nodes.example import (
    PLACES,
    REGISTRY,
    REGISTRY_LOGIN,
    RenderedExample,
    fetch_command,
    secrets_of,
)
from tests.support.nomad.tools import require_tools
from tests.support.paths import REPOSITORY

_NOMADS = [name for name, (_, role) in PLACES.items() if role != "edge"]
_DOCKERS = [name for name, (_, role) in PLACES.items() if role == "client"]
# The smallest limit of any cloud; Scaleway's is eight times as much.
_USER_DATA_LIMIT = 16 * 1024
_SCRIPTS = REPOSITORY / "terraform" / "modules" / "nodes" / "scripts"


@pytest.mark.parametrize("node", PLACES)
def test_consul_takes_its_configuration(rendered: RenderedExample, node: str) -> None:
    _succeeds(require_tools().consul, "validate", rendered.path(node, "/etc/consul.d"))


@pytest.mark.parametrize("node", _NOMADS)
def test_nomad_takes_its_configuration(rendered: RenderedExample, node: str) -> None:
    _succeeds(require_tools().nomad, "config", "validate", rendered.path(node, "/etc/nomad.d"))


@pytest.mark.parametrize("node", PLACES)
def test_cloud_init_takes_the_user_data(rendered: RenderedExample, node: str) -> None:
    _succeeds(_program("cloud-init"), "schema", "--config-file", rendered.user_data_path(node))


@pytest.mark.parametrize("node", PLACES)
def test_systemd_takes_the_units(rendered: RenderedExample, node: str, tmp_path: Path) -> None:
    units = tmp_path / "units"
    units.mkdir()
    for path, entry in rendered.files[node].items():
        if path.endswith(".service"):
            # The programs are not installed at their paths here.
            lines = entry["content"].replace("/usr/local/bin/", "/usr/bin/").splitlines()
            kept = ["ExecStart=/bin/true" if line.startswith("ExecStart=") else line for line in lines]
            (units / Path(path).name).write_text("\n".join(kept))
    done = _succeeds(_program("systemd-analyze"), "verify", "--man=no", *units.iterdir())
    complaints = [line for line in done.stderr.splitlines() if str(units) in line]
    assert not complaints


@pytest.mark.parametrize("node", _DOCKERS)
def test_docker_takes_its_configuration(rendered: RenderedExample, node: str) -> None:
    dockerd = _program("dockerd")
    # Before version 23, dockerd reads its configuration only when it starts, and then refuses this level.
    can_validate = "--validate" in _succeeds(dockerd, "--help").stdout
    asked = ["--validate"] if can_validate else ["--log-level", "none"]
    path = rendered.path(node, "/etc/docker/daemon.json")
    done = subprocess.run([dockerd, "--config-file", path, *asked], capture_output=True, text=True)
    expected = "configuration OK" if can_validate else "unable to parse logging level"
    assert expected in done.stdout + done.stderr


@pytest.mark.parametrize("node", PLACES)
def test_user_data_holds_no_secret(rendered: RenderedExample, node: str) -> None:
    text = "".join(rendered.user_data[node].split())
    assert not [secret for secret in secrets_of(rendered.material) if secret in text]
    # The secrets are in the other files, so the search would find them.
    bundle = "".join(entry["content"] for entry in rendered.secret_files[node].values())
    assert [secret for secret in secrets_of(rendered.material) if secret in "".join(bundle.split())]
    assert fetch_command(node) in rendered.user_data[node]


@pytest.mark.parametrize("node", PLACES)
def test_clients_alone_log_in_to_the_registry(rendered: RenderedExample, node: str) -> None:
    is_client = PLACES[node][1] == "client"
    logins = rendered.secret_files[node].get("/etc/docker/registries.json")
    assert (logins is not None) == is_client
    if logins is not None:
        assert json.loads(logins["content"]) == {"auths": {REGISTRY: {"auth": REGISTRY_LOGIN}}}
        configuration = json.loads(rendered.files[node]["/etc/nomad.d/nomad.json"]["content"])
        (docker,) = (each["docker"] for each in configuration["plugin"] if "docker" in each)
        assert docker["config"]["auth"] == {"config": "/etc/docker/registries.json"}


@pytest.mark.parametrize("node", PLACES)
def test_user_data_is_small_enough_for_any_cloud(rendered: RenderedExample, node: str) -> None:
    assert len(rendered.user_data[node].encode()) <= _USER_DATA_LIMIT


def test_shell_scripts_are_sound() -> None:
    _succeeds(_program("shellcheck"), *_SCRIPTS.glob("*.sh"))


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        give_up(f"{name} is missing: install the package that has it")
    return Path(found or name)


def _succeeds(*command: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done

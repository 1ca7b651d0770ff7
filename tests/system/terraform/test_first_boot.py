"""A node's first boot: cloud-init puts the files of its user data there, and its script starts the services.

cloud-init, the script and what it writes are real; systemctl, packages and secret store are stand-ins.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.docker.engine import give_up
from tests.support.nodes.booted_machine import BootedMachine
from tests.support.nodes.example import RenderedExample, bundle_of

_START = "/usr/local/sbin/clipper-nomad-start"
_IMPATIENT = {"PATIENCE_S": "0", "PAUSE_S": "0"}
_KEY = "/etc/clipper-nomad/tls/node-key.pem"
_FABIO = "/usr/local/bin/fabio"
# Answers from the third request on.
_SLOW_STORE = 'echo >> /store/asked; [ "$(wc -l < /store/asked)" -ge 3 ] && cat /store/bundle.json'


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[BootedMachine]:
    """A machine with the users that the packages make, and stand-ins for the rest of them."""
    if os.geteuid() != 0 or shutil.which("cloud-init") is None:
        give_up("a first boot needs root, and cloud-init, which its package brings")
    with BootedMachine(tmp_path) as made:
        for user in ("consul", "nomad"):
            assert made.run("useradd", "--system", "--user-group", user).returncode == 0
        for program in ("consul", "nomad", "dockerd", "systemctl"):
            made.stand_in(program)
        yield made


def _put_files(machine: BootedMachine, rendered: RenderedExample, node: str) -> None:
    machine.write("/root/user-data", rendered.user_data[node])
    module = ["single", "--name", "write_files", "--frequency", "always"]
    done = machine.run("cloud-init", "--file", "/root/user-data", *module)
    assert done.returncode == 0, done.stderr


def _have_store(machine: BootedMachine, bundle: str, script: str = "cat /store/bundle.json") -> None:
    machine.write("/store/bundle.json", bundle)
    machine.write("/store/fetch", script)


def test_files_and_secrets_are_there_before_the_services_start(
    rendered: RenderedExample, machine: BootedMachine
) -> None:
    _put_files(machine, rendered, "state-1")
    _have_store(machine, bundle_of(rendered, "state-1"))
    # It records the files that exist at that time.
    machine.stand_in("systemctl", f"if test -e {_KEY}; then echo with secrets >> /calls; fi")
    done = machine.run(_START)
    assert done.returncode == 0, done.stderr
    for path, entry in {**rendered.files["state-1"], **rendered.secret_files["state-1"]}.items():
        assert machine.read(path) == entry["content"]
        assert machine.describe(path) == f"{entry['mode'].lstrip('0')} {entry['owner']}"
    assert machine.calls == [
        "systemctl cat systemd-resolved.service",
        "systemctl restart systemd-resolved.service",
        "systemctl enable docker.service",
        "systemctl restart docker.service",
        "systemctl daemon-reload",
        "with secrets",
        "systemctl enable consul nomad",
        "with secrets",
        "systemctl restart --no-block consul nomad",
        "with secrets",
    ]
    # Redis' image has no root.
    assert machine.run("stat", "--format=%u", "/opt/nomad/volumes/redis").stdout == "10001\n"
    assert machine.describe("/etc/clipper-nomad/fetch-secrets") == "700 root:root"


def test_the_script_can_run_again(rendered: RenderedExample, machine: BootedMachine) -> None:
    _put_files(machine, rendered, "server-1")
    _have_store(machine, bundle_of(rendered, "server-1"))
    assert machine.run(_START).returncode == 0
    renewed = bundle_of(rendered, "server-1").replace("PRIVATE KEY", "RENEWED KEY")
    machine.write("/store/bundle.json", renewed)
    assert machine.run(_START).returncode == 0
    assert "RENEWED KEY" in machine.read(_KEY)
    assert machine.describe(_KEY) == "640 root:consul"


def test_a_store_that_answers_late_is_waited_for(rendered: RenderedExample, machine: BootedMachine) -> None:
    _put_files(machine, rendered, "server-1")
    _have_store(machine, bundle_of(rendered, "server-1"), _SLOW_STORE)
    done = machine.run(_START, environment={"PAUSE_S": "0"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("no secrets yet") == 2
    assert machine.exists(_KEY)


def test_a_store_that_never_answers_is_given_up(rendered: RenderedExample, machine: BootedMachine) -> None:
    _put_files(machine, rendered, "server-1")
    _have_store(machine, "", "echo the key has expired >&2; exit 1")
    done = machine.run(_START, environment=_IMPATIENT)
    assert done.returncode == 1
    assert "the key has expired" in done.stderr
    assert "run clipper-nomad-start again" in done.stderr
    assert not [call for call in machine.calls if "consul" in call]


@pytest.mark.parametrize(
    "bundle", ["Service unavailable", "[]", "{}", '{"etc/x": {}}', '{"/etc/x": {"mode": "0600"}}']
)
def test_an_invalid_bundle_changes_nothing(
    rendered: RenderedExample, machine: BootedMachine, bundle: str
) -> None:
    _put_files(machine, rendered, "server-1")
    _have_store(machine, bundle)
    done = machine.run(_START, environment=_IMPATIENT)
    assert done.returncode == 1
    assert "these are not the files of a node" in done.stderr
    assert not machine.exists("/etc/x")


def test_a_package_that_is_missing_is_named(rendered: RenderedExample, machine: BootedMachine) -> None:
    _put_files(machine, rendered, "server-1")
    machine.run("rm", "/stand-ins/nomad")
    done = machine.run(_START)
    assert done.returncode == 1
    assert "nomad is missing: its package was not installed" in done.stderr


def test_fabio_is_installed_if_its_checksum_is_right(
    rendered: RenderedExample, machine: BootedMachine
) -> None:
    _put_files(machine, rendered, "edge-1")
    _have_store(machine, bundle_of(rendered, "edge-1"))
    machine.stand_in(
        "curl", 'for last; do :; done; echo fabio > "$(echo "$*" | sed "s/.*--output //; s/ .*//")"'
    )
    refused = machine.run(_START)
    assert refused.returncode == 1
    assert "it is not run" in refused.stderr
    assert machine.run("sh", "-c", f"ls {_FABIO}*").stdout == ""

    settings = "/etc/clipper-nomad/node.env"
    checksum = hashlib.sha256(b"fabio\n").hexdigest()
    machine.write(settings, re.sub("FABIO_SHA256=.*", f"FABIO_SHA256={checksum}", machine.read(settings)))
    done = machine.run(_START)
    assert done.returncode == 0, done.stderr
    assert machine.describe(_FABIO) == "755 root:root"
    assert machine.calls[-1] == "systemctl restart --no-block consul fabio"
    # An installed program is not fetched again.
    assert machine.run(_START).returncode == 0
    assert len([call for call in machine.calls if call.startswith("curl")]) == 2


def test_a_node_that_needs_a_reboot_for_its_gpus_asks_for_it(
    rendered: RenderedExample, machine: BootedMachine
) -> None:
    _put_files(machine, rendered, "gpu-1")
    _have_store(machine, bundle_of(rendered, "gpu-1"))
    machine.stand_in("nvidia-container-runtime")
    machine.stand_in("modprobe", "exit 1")
    done = machine.run(_START)
    assert done.returncode == 0, done.stderr
    condition = re.search('"condition": "test -e (.*)"', rendered.user_data["gpu-1"])
    assert condition is not None
    assert machine.exists(condition[1])
    plugin = "/opt/nomad/plugins/nomad-device-nvidia"
    assert machine.run("readlink", plugin).stdout.strip() == "/usr/bin/nomad-device-nvidia"

"""terraform/access, applied to a real cluster with ACLs: objects made, changed, revoked, removed; errors.

The rights of its tokens are in test_rights.py.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from clipper_nomad.managers.ports import choose_free
from tests.support.nomad.agent import AgentError
from tests.support.nomad.cluster import NomadCluster
from tests.support.processes import Process
from tests.support.tofu.access import Access, access_variables, applied_access, find_tofu

_NO_TOKEN = "00000000-0000-0000-0000-00000000dead"
_OBSERVER = 'module.nomad_policies["clipper-observer"]'
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def cluster(secure_nomad_cluster: NomadCluster) -> NomadCluster:
    return secure_nomad_cluster


@pytest.fixture(scope="module")
def tofu() -> Path:
    return find_tofu()


@pytest.fixture(scope="module")
def variables(cluster: NomadCluster) -> dict[str, Any]:
    return access_variables(cluster)


@pytest.fixture(scope="module")
def kept(tofu: Path, variables: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    with applied_access(tofu, tmp_path_factory.mktemp("access") / "terraform", variables) as root:
        yield root


@pytest.fixture
def access(kept: Access, variables: dict[str, Any]) -> Access:
    """The root, applied with its first variables."""
    kept.apply(variables)
    return kept


def consul_self(cluster: NomadCluster, secret: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.consul.request("GET", "/v1/acl/token/self", token=secret)
    return found


def nomad_self(cluster: NomadCluster, secret: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.nomad.request("GET", "/v1/acl/token/self", token=secret)
    return found


def names(policies: list[dict[str, Any]]) -> set[str]:
    return {each["Name"] for each in policies if each["Name"].startswith("clipper-")}


def test_tokens_have_their_secrets_and_policies(
    access: Access, cluster: NomadCluster, variables: dict[str, Any]
) -> None:
    for name, secret in variables["consul_agent_tokens"].items():
        identity = {"NodeName": name, "Datacenter": "dc1"}
        assert consul_self(cluster, secret)["NodeIdentities"] == [identity]
    for user in ("nomad_server", "nomad_client", "fabio"):
        (policy,) = consul_self(cluster, variables[f"consul_{user}_token"])["Policies"]
        assert policy["Name"] == f"clipper-{user.replace('_', '-')}"
    tokens = access.outputs()["tokens"]
    assert [each["Name"] for each in consul_self(cluster, tokens["consul_library"])["Policies"]] == [
        "clipper-library"
    ]
    for user in ("library", "observer"):
        assert nomad_self(cluster, tokens[f"nomad_{user}"])["Policies"] == [f"clipper-{user}"]
    assert nomad_self(cluster, tokens["nomad_management"])["Type"] == "management"
    # Only the state has the secret.
    assert not list((access.directory / ".clipper-nomad").iterdir())


def test_a_second_apply_changes_nothing(access: Access, variables: dict[str, Any]) -> None:
    before = access.outputs()
    assert access.changes(variables) == {}
    access.apply(variables)
    assert access.outputs() == before


def test_a_policy_that_changes_is_put_again_and_no_token_with_it(
    access: Access, cluster: NomadCluster, variables: dict[str, Any]
) -> None:
    before = access.outputs()["tokens"]
    changed = variables | {"service_prefixes": ["clipper-", "team-"], "redis_volume": "data"}
    assert access.changes(changed) == {
        'module.consul_policies["clipper-nomad-client"].terraform_data.put': "replace",
        'module.nomad_policies["clipper-library"].terraform_data.put': "replace",
    }
    access.apply(changed)
    (policy,) = (
        each
        for each in cluster.consul.request("GET", "/v1/acl/policies")
        if each["Name"] == "clipper-nomad-client"
    )
    rules = cluster.consul.request("GET", f"/v1/acl/policy/{policy['ID']}")["Rules"]
    assert 'service_prefix "team-"' in rules
    assert 'host_volume "data"' in cluster.nomad.request("GET", "/v1/acl/policy/clipper-library")["Rules"]
    assert access.outputs()["tokens"] == before


def test_a_secret_that_changes_is_the_only_one_that_counts(
    access: Access, cluster: NomadCluster, variables: dict[str, Any]
) -> None:
    old = variables["consul_agent_tokens"]
    new = old | {"tests-client": "0b5fd8a4-9a5c-4d3c-8f7e-3f0a8a1a7c11"}
    access.apply(variables | {"consul_agent_tokens": new})
    assert consul_self(cluster, new["tests-client"])["NodeIdentities"][0]["NodeName"] == "tests-client"
    with pytest.raises(AgentError, match="403"):
        consul_self(cluster, old["tests-client"])
    assert consul_self(cluster, old["tests-server"])


def test_the_token_of_a_node_that_is_gone_is_revoked(
    access: Access, cluster: NomadCluster, variables: dict[str, Any]
) -> None:
    without = {
        name: {key: value for key, value in variables[name].items() if key != "tests-client"}
        for name in ("nodes", "consul_agent_tokens")
    }
    access.apply(variables | without)
    with pytest.raises(AgentError, match="403"):
        consul_self(cluster, variables["consul_agent_tokens"]["tests-client"])
    assert consul_self(cluster, variables["consul_agent_tokens"]["tests-server"])


def test_a_token_that_is_replaced_has_another_secret_and_the_old_one_is_revoked(
    access: Access, cluster: NomadCluster
) -> None:
    before = access.outputs()["tokens"]
    said = access.replace(
        'module.nomad_tokens["clipper-library"].terraform_data.put',
        "module.consul_library_token.terraform_data.put",
    )
    after = access.outputs()["tokens"]
    assert after["nomad_observer"] == before["nomad_observer"]
    for old, new, read in (
        (before["nomad_library"], after["nomad_library"], nomad_self),
        (before["consul_library"], after["consul_library"], consul_self),
    ):
        assert read(cluster, new)
        with pytest.raises(AgentError, match="403"):
            read(cluster, old)
        assert old not in said
        assert new not in said


def test_another_management_token_takes_over_without_a_gap_in_rights(
    access: Access, cluster: NomadCluster, variables: dict[str, Any]
) -> None:
    agent = variables["consul_agent_tokens"]["tests-client"]
    before, made = access.outputs()["tokens"], consul_self(cluster, agent)["CreateIndex"]
    management = {"Description": "tests", "Policies": [{"Name": "global-management"}]}
    consul = cluster.consul.request("PUT", "/v1/acl/token", management)
    nomad = cluster.nomad.request("POST", "/v1/acl/token", {"Name": "tests", "Type": "management"})
    try:
        other = {"consul_management_token": consul["SecretID"], "nomad_bootstrap_token": nomad["SecretID"]}
        access.apply(variables | other)
        # It was never deleted.
        assert consul_self(cluster, agent)["CreateIndex"] == made
        after = access.outputs()["tokens"]
        assert nomad_self(cluster, after["nomad_library"])["Policies"] == ["clipper-library"]
        with pytest.raises(AgentError, match="403"):
            nomad_self(cluster, before["nomad_library"])
        access.apply(variables)
    finally:
        cluster.consul.request("DELETE", f"/v1/acl/token/{consul['AccessorID']}")
        cluster.nomad.request("DELETE", f"/v1/acl/token/{nomad['AccessorID']}")


def test_another_address_needs_nothing_put_again(access: Access, variables: dict[str, Any]) -> None:
    named = variables | {"nomad_tls_server_name": "server.global.nomad"}
    assert set(access.changes(named).values()) == {"update"}
    access.apply(named)
    access.replace(f"{_OBSERVER}.terraform_data.put")
    assert access.outputs()["environment"]["NOMAD_TLS_SERVER_NAME"] == "server.global.nomad"
    access.apply(variables | {"nomad_tls_server_name": "server.elsewhere.nomad"})
    with pytest.raises(RuntimeError) as refused:
        access.replace(f"{_OBSERVER}.terraform_data.put")
    assert "or the input nomad_tls_server_name" in words(refused)


def test_no_secret_is_printed_nor_on_a_command_line(
    access: Access, variables: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    for program in ("curl", "sed", "grep", "cat", "tr", "sh"):
        spy = tmp_path / program
        spy.write_text(f'#!/bin/sh\necho "{program} $*" >>"{seen}"\nexec {shutil.which(program)} "$@"\n')
        spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = access.outputs()["tokens"]
    said = access.replace(
        'module.nomad_tokens["clipper-observer"].terraform_data.put',
        "module.consul_library_token.terraform_data.put",
        'module.consul_tokens["fabio"].terraform_data.put',
    )
    after = access.outputs()["tokens"]
    arguments = seen.read_text()
    assert {line.partition(" ")[0] for line in arguments.splitlines()} >= {"curl", "sed", "tr"}
    secrets = {*before.values(), *after.values(), variables["consul_fabio_token"]}
    assert not [secret for secret in secrets if secret in said or secret in arguments]
    # tofu shows resources that it will destroy in full.
    planned = access.show_destruction()
    assert "terraform_data.deletion" in planned
    assert not [secret for secret in secrets if secret in planned]


@pytest.mark.parametrize(
    ("changed", "target", "said"),
    [
        (
            {"consul_management_token": _NO_TOKEN},
            'module.consul_policies["clipper-fabio"]',
            r"Consul at \S+ refuses the management token .*It is the input consul_management_token",
        ),
        (
            {"nomad_bootstrap_token": _NO_TOKEN},
            "module.nomad_bootstrap",
            r"Nomad at \S+ has its first token, and it is not this one.*nomad_bootstrap_token",
        ),
        (
            {"nomad_address": "https://127.0.0.1:1"},
            "module.nomad_bootstrap",
            r"Nomad at https://127.0.0.1:1 does not answer, for 0 s .*input nomad_address",
        ),
        (
            {"consul_address": "http://nowhere.invalid:8500"},
            "module.consul_anonymous_token",
            r"Consul at http://nowhere.invalid:8500 does not answer.*input consul_address",
        ),
        ({"ca_pem": "other"}, "module.nomad_bootstrap", r"no certificate that is trusted.*input ca_pem"),
    ],
    ids=["Consul's token", "Nomad's token", "Nomad's address", "Consul's address", "authority"],
)
def test_errors_name_what_is_wrong(
    tofu: Path,
    cluster: NomadCluster,
    variables: dict[str, Any],
    changed: dict[str, Any],
    target: str,
    said: str,
    tmp_path: Path,
) -> None:
    if "ca_pem" in changed:
        command = [str(cluster.site.tools.nomad), "tls", "ca", "create"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        changed = {"ca_pem": (tmp_path / "nomad-agent-ca.pem").read_text()}
    root = Access(tofu, tmp_path / "terraform")
    with pytest.raises(RuntimeError) as refused:
        root.apply_only(variables | changed, target)
    assert re.search(said, words(refused))


def test_a_nomad_that_is_only_starting_gets_its_first_token(
    tofu: Path, cluster: NomadCluster, variables: dict[str, Any], tmp_path: Path
) -> None:
    http, rpc, serf = choose_free("127.0.0.1", 3)
    settings = {
        "name": "tests",
        "data_dir": str(tmp_path / "nomad"),
        "bind_addr": "127.0.0.1",
        "advertise": dict.fromkeys(("http", "rpc", "serf"), "127.0.0.1"),
        "ports": {"http": http, "rpc": rpc, "serf": serf},
        "server": {"enabled": True, "bootstrap_expect": 1},
        "acl": {"enabled": True},
        "disable_update_check": True,
    }
    (tmp_path / "nomad.json").write_text(json.dumps(settings))
    address, secret = f"http://127.0.0.1:{http}", str(uuid.uuid4())
    changed = {"nomad_address": address, "nomad_bootstrap_token": secret, "wait_s": 60}
    command: list[str | Path] = [cluster.site.tools.nomad, "agent", "-config", tmp_path / "nomad.json"]
    root = Access(tofu, tmp_path / "terraform")
    with ThreadPoolExecutor(1) as pool:
        # Nomad is started after it was asked in vain.
        with socket.create_server(("127.0.0.1", http)) as nobody:
            nobody.settimeout(60)
            applied = pool.submit(root.apply_only, variables | changed, "module.nomad_tokens")
            nobody.accept()[0].close()
        with Process("nomad", command):
            applied.result()
            headers = {"X-Nomad-Token": secret}
            with requests.get(f"{address}/v1/acl/tokens", headers=headers, timeout=5) as answer:
                found = {each["Name"]: each["Type"] for each in answer.json()}
    assert found == {
        "Bootstrap Token": "management",
        "clipper-library": "client",
        "clipper-observer": "client",
    }


def test_all_is_removed(kept: Access, cluster: NomadCluster, variables: dict[str, Any]) -> None:
    kept.apply(variables)
    tokens = kept.outputs()["tokens"]
    kept.destroy()
    assert not names(cluster.consul.request("GET", "/v1/acl/policies"))
    assert not names(cluster.nomad.request("GET", "/v1/acl/policies"))
    assert not names(cluster.nomad.request("GET", "/v1/acl/tokens"))
    for secret in (tokens["consul_library"], variables["consul_fabio_token"]):
        with pytest.raises(AgentError, match="403"):
            consul_self(cluster, secret)
    anonymous = cluster.consul.request("GET", "/v1/acl/token/00000000-0000-0000-0000-000000000002")
    assert not anonymous.get("Policies")
    # The first token cannot be revoked.
    assert nomad_self(cluster, tokens["nomad_management"])["Type"] == "management"


def words(refused: pytest.ExceptionInfo[RuntimeError]) -> str:
    """Return tofu's output as one line; it breaks lines anywhere between words."""
    return " ".join(str(refused.value).split())

"""A provider's stand-in finds the mistakes that the provider's own schema would find."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.docker.engine import MissingServiceError, give_up
from tests.support.tofu.check import TERRAFORM, Tofu, TofuError, require_checker
from tests.support.tofu.names import PROVIDERS

_PROVIDERS = """
terraform {
  required_providers {
    scaleway = { source = "scaleway/scaleway" }
    tls      = { source = "hashicorp/tls" }
  }
}
"""
_RIGHT = """
resource "scaleway_secret" "right" {
  name = "right"
  tags = ["one", "two"]
}

resource "scaleway_instance_security_group" "right" {
  inbound_rule {
    action = "accept"
    port   = 4646
  }
  inbound_rule {
    action = "drop"
  }
}

resource "tls_private_key" "right" {
  algorithm = "ECDSA"
}

output "right" {
  value = scaleway_secret.right.version_count + scaleway_instance_security_group.right.inbound_rule[0].port
}
"""
_WRONG = {
    "an argument that there is not": (
        'resource "scaleway_vpc" "wrong" {\n  cidr = "10.0.0.0/8"\n}',
        'An argument named "cidr" is not expected here',
    ),
    "an argument that is missing": (
        'resource "scaleway_lb" "wrong" {\n  name = "wrong"\n}',
        'The argument "type" is required',
    ),
    "a name that is missing": (
        'resource "scaleway_secret" "wrong" {\n  path = "/"\n}',
        'The argument "name" is required',
    ),
    "an argument that only the provider sets": (
        'resource "scaleway_vpc" "wrong" {\n  created_at = "now"\n}',
        '"created_at" is no argument',
    ),
    "an attribute that there is not": (
        'output "wrong" {\n  value = scaleway_secret.right.versions_count\n}',
        'no argument, nested block, or exported attribute named "versions_count"',
    ),
    "a value of another type": (
        'resource "scaleway_vpc" "wrong" {\n  tags = "one"\n}',
        "list of string required",
    ),
    "a nested value of another type": (
        'resource "scaleway_vpc_private_network" "wrong" {\n  ipv4_subnet {\n    subnet = []\n  }\n}',
        "string required",
    ),
    "a block that there is not": (
        'resource "scaleway_vpc" "wrong" {\n  subnet {}\n}',
        'Blocks of type "subnet" are not expected here',
    ),
    "two blocks where there is one at most": (
        'resource "scaleway_vpc_private_network" "wrong" {\n  ipv4_subnet {}\n  ipv4_subnet {}\n}',
        'No more than 1 "ipv4_subnet" blocks are allowed',
    ),
    "a block that is missing": (
        'resource "scaleway_ipam_ip" "wrong" {\n}',
        'At least 1 "source" blocks are required',
    ),
    "an element of a set by its index": (
        'resource "scaleway_lb" "lb" {\n  type = "LB-S"\n}\n'
        'output "wrong" {\n  value = scaleway_lb.lb.private_network[0].zone\n}',
        "do not have addressable keys",
    ),
    "a secret in an output that is none": (
        'output "wrong" {\n  value = tls_private_key.right.private_key_pem\n}',
        "sensitive = true",
    ),
    "an id that is none": (
        'resource "scaleway_iam_policy" "wrong" {\n'
        '  application_id = "abc"\n  rule {\n    permission_set_names = []\n  }\n}',
        '"application_id" holds what is no UUID',
    ),
    "a nested id that is none": (
        'resource "scaleway_lb" "wrong" {\n'
        '  type = "LB-S"\n  private_network {\n    private_network_id = "abc"\n  }\n}',
        '"private_network_id" holds what is no UUID',
    ),
    "a resource that there is not": (
        'resource "scaleway_cloud" "wrong" {\n}',
        'does not support resource type "scaleway_cloud"',
    ),
}
_MOCKED = """
mock_provider "scaleway" {}
mock_provider "tls" {}

run "mocked" {
  assert {
    condition     = scaleway_secret.right.NAME == "right" && scaleway_secret.right.status != ""
    error_message = "The secret is another."
  }
}
"""


@pytest.fixture(scope="module")
def tofu() -> Tofu:
    """OpenTofu with stand-ins, even if the real providers can be downloaded."""
    try:
        return require_checker(stand_ins=True)
    except MissingServiceError as error:
        give_up(str(error))
        raise


@pytest.fixture(scope="module")
def initialised(tofu: Tofu, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a right configuration."""
    folder = tmp_path_factory.mktemp("configuration")
    (folder / "main.tf").write_text(_PROVIDERS + _RIGHT)
    tofu.run(folder, "init", "-backend=false")
    return folder


def test_a_right_configuration_is_valid(tofu: Tofu, initialised: Path) -> None:
    assert "The configuration is valid" in tofu.run(initialised, "validate")


@pytest.mark.parametrize(("wrong", "said"), _WRONG.values(), ids=_WRONG)
def test_a_wrong_configuration_is_refused(wrong: str, said: str, tofu: Tofu, initialised: Path) -> None:
    extra = initialised / "wrong.tf"
    extra.write_text(wrong)
    try:
        with pytest.raises(TofuError) as raised:
            tofu.run(initialised, "validate")
    finally:
        extra.unlink()
    assert said in " ".join(str(raised.value).replace("│", " ").split())


@pytest.mark.parametrize(("attribute", "passes"), [("name", True), ("path", False)])
def test_assertions_on_mocked_providers_pass_and_fail(
    attribute: str, passes: bool, tofu: Tofu, initialised: Path
) -> None:
    test = initialised / "mocked.tftest.hcl"
    test.write_text(_MOCKED.replace("NAME", attribute))
    try:
        if passes:
            assert "1 passed, 0 failed" in tofu.run(initialised, "test")
        else:
            with pytest.raises(TofuError, match="The secret is another"):
                tofu.run(initialised, "test")
    finally:
        test.unlink()


def test_nothing_is_planned_without_the_provider(tofu: Tofu, initialised: Path) -> None:
    with pytest.raises(TofuError, match="only stands in for the provider"):
        tofu.run(initialised, "plan")


def test_the_resources_of_terraform_are_the_known_ones() -> None:
    texts = [path.read_text() for path in TERRAFORM.rglob("*.tf")]
    used = {
        name for text in texts for name in re.findall(r'^(?:resource|data|ephemeral) "(\w+)"', text, re.M)
    }
    known = {name for provider in PROVIDERS for name in provider.resources}
    assert used - {"terraform_data"} == known, "tests/support/tofu/names.py must list what terraform/ uses"


def test_names_are_terraforms(tofu: Tofu) -> None:
    schema = _resources(tofu)
    assert {"inbound_rule", "outbound_rule"} == set(schema["scaleway_instance_security_group"]["block_types"])
    assert {"private_ips", "public_ips"} <= set(schema["scaleway_instance_server"]["block_types"])
    assert schema["scaleway_secret"]["block_types"].keys() == {"ephemeral_policy"}
    match = schema["scaleway_lb_frontend"]["block_types"]["acl"]["block"]["block_types"]["match"]["block"]
    assert match["attributes"]["http_filter_value"]["type"] == ["list", "string"]
    network = schema["scaleway_lb"]["block_types"]["private_network"]["block"]
    assert network["attributes"]["ipam_ids"]["type"] == ["list", "string"]


def _resources(tofu: Tofu) -> dict[str, Any]:
    mirror = tofu.providers.settings.parent
    path = next(mirror.glob("*/scaleway/scaleway/*/*/schema.json"))
    resources = json.loads(path.read_text())["resource_schemas"]
    return {name: resource["block"] for name, resource in resources.items()}

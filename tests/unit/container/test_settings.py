"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipper_container.input_types import InputType
from clipper_container.settings import Settings, SettingsError

REQUIRED = {
    "CLIPPER_MODEL_NAME": "m",
    "CLIPPER_MODEL_VERSION": "1",
    "CLIPPER_INPUT_TYPE": "d",
    "CLIPPER_IP": "10.0.0.1",
}


def test_defaults() -> None:
    settings = Settings.from_environment(REQUIRED)
    assert settings.instance_id
    assert settings == Settings(
        model_name="m",
        model_version="1",
        input_type=InputType.DOUBLES,
        model_path=Path("/model"),
        rpc_addresses=("10.0.0.1:7000",),
        rpc_proxy_only=False,
        dns_server=None,
        cluster_name="default-cluster",
        instance_id=settings.instance_id,
        admin_host="0.0.0.0",
        admin_port=1390,
        hang_timeout_s=60.0,
        exit_when_hung=False,
        drain_timeout_s=30.0,
        log_level="info",
    )


def test_addresses_by_comma_win_over_ip_and_port() -> None:
    environment = {**REQUIRED, "CLIPPER_RPC_ADDRESS": "a:1, srv:rpc.consul,", "CLIPPER_PORT": "9"}
    assert Settings.from_environment(environment).rpc_addresses == ("a:1", "srv:rpc.consul")


def test_ip_and_port_as_clipper_gives_them() -> None:
    for ip, address in (("10.0.0.9", "10.0.0.9:7001"), ("::1", "[::1]:7001")):
        environment = {**REQUIRED, "CLIPPER_IP": ip, "CLIPPER_PORT": "7001"}
        assert Settings.from_environment(environment).rpc_addresses == (address,)


def test_instance_id_is_given_or_the_allocation_or_made_up() -> None:
    allocated = {**REQUIRED, "NOMAD_ALLOC_ID": "alloc"}
    assert Settings.from_environment(allocated).instance_id == "alloc"
    assert Settings.from_environment({**allocated, "CLIPPER_INSTANCE_ID": "mine"}).instance_id == "mine"
    made_up = {Settings.from_environment(REQUIRED).instance_id for _ in range(3)}
    assert len(made_up) == 3


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_flags(text: str, value: bool) -> None:
    assert Settings.from_environment({**REQUIRED, "CLIPPER_EXIT_WHEN_HUNG": text}).exit_when_hung is value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLIPPER_MODEL_NAME", ""),
        ("CLIPPER_MODEL_VERSION", ""),
        ("CLIPPER_INPUT_TYPE", ""),
        ("CLIPPER_INPUT_TYPE", "numbers"),
        ("CLIPPER_IP", "a b"),
        ("CLIPPER_PORT", "x"),
        ("CLIPPER_RPC_ADDRESS", "host"),
        ("CLIPPER_RPC_ADDRESS", "tcp://host:1"),
        ("CLIPPER_RPC_PROXY_ONLY", "maybe"),
        ("CLIPPER_ADMIN_PORT", "65536"),
        ("CLIPPER_ADMIN_PORT", "-1"),
        ("CLIPPER_HANG_TIMEOUT_S", "0"),
        ("CLIPPER_HANG_TIMEOUT_S", "soon"),
        ("CLIPPER_DRAIN_TIMEOUT_S", "nan"),
        ("CLIPPER_LOG_LEVEL", "loud"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_that_names_it(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name) as failure:
        Settings.from_environment({**REQUIRED, name: value})
    assert "\n" not in str(failure.value)


def test_without_any_address_the_error_names_the_ways_to_give_one() -> None:
    environment = {name: value for name, value in REQUIRED.items() if name != "CLIPPER_IP"}
    with pytest.raises(SettingsError, match=r"CLIPPER_RPC_ADDRESS .*or CLIPPER_IP and CLIPPER_PORT"):
        Settings.from_environment(environment)

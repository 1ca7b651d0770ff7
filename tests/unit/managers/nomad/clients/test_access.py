"""NOMAD_* and CONSUL_*, and the arguments that win over them."""

from __future__ import annotations

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.access import TLS, ConsulAccess, NomadAccess


@pytest.mark.parametrize(
    ("nomad_ip", "nomad_addr", "address"),
    [
        (None, None, "http://127.0.0.1:4646"),
        (None, "https://nomad.example:4647/", "https://nomad.example:4647"),
        (None, "https://nomad.example/proxied/", "https://nomad.example/proxied"),
        (None, "10.0.0.1:4646", "http://10.0.0.1:4646"),
        ("10.65.30.43", None, "http://10.65.30.43:4646"),
        ("10.65.30.43", "https://nomad.example:4647", "https://10.65.30.43:4647"),
        ("10.65.30.43", "https://nomad.example", "https://10.65.30.43:4646"),
        ("10.65.30.43:4000", "https://nomad.example:4647", "https://10.65.30.43:4000"),
        ("http://10.65.30.43:4000", "https://nomad.example:4647", "http://10.65.30.43:4000"),
        ("https://nomad.example", None, "https://nomad.example"),
        ("::1", None, "http://[::1]:4646"),
        ("[::1]:4000", None, "http://[::1]:4000"),
    ],
)
def test_the_host_is_the_argument_s_and_what_it_leaves_out_is_nomad_addr_s(
    nomad_ip: str | None, nomad_addr: str | None, address: str
) -> None:
    environment = {"NOMAD_ADDR": nomad_addr} if nomad_addr else {}
    assert NomadAccess.from_environment(nomad_ip, environment=environment).address == address


def test_all_of_nomad_s_variables_are_read() -> None:
    environment = {
        "NOMAD_NAMESPACE": "team",
        "NOMAD_REGION": "eu",
        "NOMAD_TOKEN": "secret",
        "NOMAD_HTTP_AUTH": "me:pass:word",
        "NOMAD_CACERT": "ca.pem",
        "NOMAD_CAPATH": "cas",
        "NOMAD_CLIENT_CERT": "cli.pem",
        "NOMAD_CLIENT_KEY": "cli-key.pem",
        "NOMAD_TLS_SERVER_NAME": "server.eu.nomad",
        "NOMAD_SKIP_VERIFY": "1",
    }
    access = NomadAccess.from_environment(environment=environment)
    assert (access.namespace, access.region, access.token) == ("team", "eu", "secret")
    assert access.http_auth == ("me", "pass:word")
    assert access.tls == TLS("ca.pem", "cas", "cli.pem", "cli-key.pem", "server.eu.nomad", verify=False)
    assert "secret" not in repr(access)
    assert "pass:word" not in repr(access)


def test_arguments_win_over_variables() -> None:
    environment = {"NOMAD_NAMESPACE": "team", "NOMAD_REGION": "eu"}
    access = NomadAccess.from_environment(namespace="mine", region="us", environment=environment)
    assert (access.namespace, access.region) == ("mine", "us")


def test_empty_variables_are_as_if_not_set() -> None:
    environment = dict.fromkeys(("NOMAD_ADDR", "NOMAD_TOKEN", "NOMAD_CACERT", "NOMAD_SKIP_VERIFY"), "")
    assert NomadAccess.from_environment(environment=environment) == NomadAccess("http://127.0.0.1:4646")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"NOMAD_ADDR": "unix:///run/nomad.sock"}, "NOMAD_ADDR.*Unix socket"),
        ({"NOMAD_ADDR": "ftp://host"}, "NOMAD_ADDR"),
        ({"NOMAD_ADDR": "http://host:port"}, "NOMAD_ADDR"),
        ({"NOMAD_ADDR": "http://"}, "NOMAD_ADDR"),
        ({"NOMAD_SKIP_VERIFY": "yes"}, "NOMAD_SKIP_VERIFY"),
        ({"NOMAD_NAMESPACE": "*"}, "NOMAD_NAMESPACE"),
    ],
)
def test_what_cannot_be_understood_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ContainerManagerError, match=named):
        NomadAccess.from_environment(environment=environment)


@pytest.mark.parametrize(
    ("environment", "default_host", "address"),
    [
        ({}, None, "http://127.0.0.1:8500"),
        ({}, "10.0.0.1", "http://10.0.0.1:8500"),
        ({}, "::1", "http://[::1]:8500"),
        ({"CONSUL_HTTP_ADDR": "consul.example:80"}, "10.0.0.1", "http://consul.example:80"),
        ({"CONSUL_HTTP_ADDR": "consul.example"}, None, "http://consul.example:8500"),
        ({"CONSUL_HTTP_ADDR": "https://consul.example"}, None, "https://consul.example:443"),
        (
            {"CONSUL_HTTP_ADDR": "consul.example:8501", "CONSUL_HTTP_SSL": "true"},
            None,
            "https://consul.example:8501",
        ),
        (
            {"CONSUL_HTTP_ADDR": "http://consul.example:8501", "CONSUL_HTTP_SSL": "1"},
            None,
            "https://consul.example:8501",
        ),
    ],
)
def test_consul_is_where_its_variable_says(
    environment: dict[str, str], default_host: str | None, address: str
) -> None:
    assert ConsulAccess.from_environment(default_host, environment).address == address


def test_all_of_consul_s_variables_are_read() -> None:
    environment = {
        "CONSUL_HTTP_TOKEN": "secret",
        "CONSUL_HTTP_TOKEN_FILE": "token",
        "CONSUL_HTTP_AUTH": "me",
        "CONSUL_HTTP_SSL_VERIFY": "false",
        "CONSUL_CACERT": "ca.pem",
        "CONSUL_CAPATH": "cas",
        "CONSUL_CLIENT_CERT": "cli.pem",
        "CONSUL_CLIENT_KEY": "cli-key.pem",
        "CONSUL_TLS_SERVER_NAME": "server.dc1.consul",
    }
    access = ConsulAccess.from_environment(environment=environment)
    assert (access.token, access.token_file, access.http_auth) == ("secret", "token", ("me", ""))
    assert access.tls == TLS("ca.pem", "cas", "cli.pem", "cli-key.pem", "server.dc1.consul", verify=False)
    assert "secret" not in repr(access)

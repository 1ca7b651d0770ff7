"""Methods, preflights and the web pages that may query an application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http.client import HTTPConnection

import pytest

from tests.support.frontends.cluster import Cluster, RefusedError

SHOP, OTHER = "https://shop.example", "https://other.example"
BODY = b'{"input": [1.0]}'


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster() as running:
        for name, origins in (
            ("closed", None),
            ("shop", [SHOP.upper(), "http://a.example:8080"]),
            ("open", ["*"]),
        ):
            running.admin(
                "add_app",
                name=name,
                input_type="doubles",
                default_output="-1",
                latency_slo_micros=1_000_000,
                cors_origins=origins,
            )
            running.wait_until_known(running.frontend, name)
        yield running


@pytest.fixture
def address(cluster: Cluster) -> str:
    return cluster.frontend.rest


def ask(
    address: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of an answer, in lower case."""
    connection = HTTPConnection(address, timeout=10)
    connection.request(method, path, body, dict(headers or {}))
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}


@pytest.mark.parametrize(
    ("app", "origin", "allowed"),
    [
        ("shop", SHOP, SHOP),
        ("shop", "http://a.example:8080", "http://a.example:8080"),
        ("shop", "http://a.example", None),
        ("shop", OTHER, None),
        ("shop", "null", None),
        ("open", OTHER, "*"),
        ("closed", SHOP, None),
    ],
)
def test_pages_of_the_registered_origins_alone_may_read_answers(
    address: str, app: str, origin: str, allowed: str | None
) -> None:
    for verb in ("predict", "update"):
        for body in (BODY, b"{"):
            status, headers = ask(address, "POST", f"/{app}/{verb}", body, {"Origin": origin})
            assert status in (200, 400)
            assert headers.get("access-control-allow-origin") == allowed
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        status, headers = ask(address, "OPTIONS", f"/{app}/{verb}", headers=preflight)
        assert status == 200
        assert headers["allow"] == "POST, OPTIONS"
        assert headers.get("access-control-allow-origin") == allowed
        assert headers.get("access-control-allow-methods") == ("POST" if allowed else None)
    assert (headers.get("vary") == "Origin") is (app == "shop")


def test_callers_that_are_no_pages_get_the_usual_answer(address: str) -> None:
    status, headers = ask(address, "POST", "/shop/predict", BODY)
    assert status == 200
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/shop/predict", "POST, OPTIONS"),
        ("PUT", "/shop/update", "POST, OPTIONS"),
        ("POST", "/metrics", "GET, HEAD, OPTIONS"),
        ("DELETE", "/health/live", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_refused_method_is_answered_with_those_that_are_taken(
    address: str, method: str, path: str, allowed: str
) -> None:
    status, headers = ask(address, method, path)
    assert (status, headers["allow"]) == (405, allowed)
    assert ask(address, "OPTIONS", path)[1]["allow"] == allowed


def test_options_of_the_server_itself(address: str) -> None:
    status, headers = ask(address, "OPTIONS", "*")
    assert (status, headers["allow"]) == (200, "GET, HEAD, POST, OPTIONS")


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/rpc", "/metrics"])
def test_a_slash_at_the_end_of_a_health_path_changes_nothing(cluster: Cluster, path: str) -> None:
    for address in (cluster.frontend.rest, cluster.frontend.admin):
        assert ask(address, "GET", f"{path}/")[0] == ask(address, "GET", path)[0] == 200
        assert ask(address, "GET", f"{path}/more")[0] == 404


@pytest.mark.parametrize(
    "origin", ["shop.example", "https://shop.example/", "https://a b", "x\r\ny: z", "", "null"]
)
def test_what_is_no_origin_is_refused_at_registration(cluster: Cluster, origin: str) -> None:
    with pytest.raises(RefusedError, match="cors_origins has"):
        cluster.admin(
            "add_app",
            name="never",
            input_type="doubles",
            default_output="-1",
            latency_slo_micros=1,
            cors_origins=[origin],
        )


def test_the_origins_of_an_application_are_shown(cluster: Cluster) -> None:
    assert cluster.admin("get_application", name="shop")["cors_origins"] == [SHOP, "http://a.example:8080"]
    assert cluster.admin("get_application", name="closed")["cors_origins"] == []

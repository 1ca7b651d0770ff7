"""Addresses, tags and conflicts of clusters behind Fabio, and of those behind nothing."""

from __future__ import annotations

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.load_balancer import (
    Conflict,
    FabioLoadBalancer,
    LoadBalancer,
    NoLoadBalancer,
)

OWN = ("clipper-iris-query", "clipper-iris-rpc", "clipper-iris-management")


def test_addresses_are_those_of_the_article() -> None:
    fabio = FabioLoadBalancer("fabio.service.consul", http_proxy_port=9999, tcp_proxy_port=7000)
    assert fabio.query_address("default-cluster") == "fabio.service.consul:9999/clipper"
    assert fabio.query_address("iris") == "fabio.service.consul:9999/clipper-iris"
    assert fabio.rpc_address() == "fabio.service.consul:7000"
    assert FabioLoadBalancer("fd00::1").rpc_address() == "[fd00::1]:7000"


def test_tags_are_routes_that_end_with_a_slash() -> None:
    fabio = FabioLoadBalancer(tcp_proxy_port=7001)
    assert fabio.query_tags("default-cluster") == ("urlprefix-/clipper/ strip=/clipper",)
    assert fabio.query_tags("iris") == ("urlprefix-/clipper-iris/ strip=/clipper-iris",)
    assert fabio.rpc_tags() == ("urlprefix-:7001 proto=tcp",)
    assert FabioLoadBalancer(tag_prefix="route-").rpc_tags() == ("route-:7000 proto=tcp",)


def test_the_management_frontend_is_routed_only_when_asked() -> None:
    fabio = FabioLoadBalancer()
    assert fabio.management_tags("iris") == ()
    assert fabio.management_address("iris") is None
    fabio = FabioLoadBalancer(route_management=True)
    assert fabio.management_tags("iris") == (
        "urlprefix-/clipper-iris.management/ strip=/clipper-iris.management",
    )
    assert fabio.management_address("default-cluster") == "fabio.service.consul:9999/clipper.management"


@pytest.mark.parametrize("name", ["management", "iris-management", "a", "default", "clipper"])
def test_no_clusters_route_catches_what_is_anothers(name: str) -> None:
    fabio = FabioLoadBalancer(route_management=True)
    paths = [
        tags[0].split()[0].removeprefix("urlprefix-")
        for cluster in ("default-cluster", "iris", name)
        for tags in (fabio.query_tags(cluster), fabio.management_tags(cluster))
    ]
    assert not [(a, b) for a in paths for b in paths if a != b and b.startswith(a)]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize(
    ("tag", "what"),
    [
        ("urlprefix-:7000 proto=tcp", "TCP port 7000 of fabio"),
        ("urlprefix-10.0.0.1:7000 proto=tcp weight=0.5", "TCP port 7000 of fabio"),
        ("urlprefix-/clipper-iris/ strip=/clipper-iris", "path /clipper-iris/ of fabio:9999"),
        ("urlprefix-fabio/clipper-iris/app/predict", "path /clipper-iris/app/predict of fabio:9999"),
    ],
)
def test_what_takes_a_route_of_ours_is_a_conflict(tag: str, what: str) -> None:
    fabio = FabioLoadBalancer("fabio")
    assert fabio.find_conflicts("iris", {"other": ["blue", tag]}, OWN) == (Conflict(what, "other"),)
    assert str(Conflict(what, "other")) == f"{what} is the route of the service 'other'"
    assert fabio.find_conflicts("iris", {OWN[0]: [tag]}, OWN) == ()


@pytest.mark.parametrize(
    "tag",
    [
        "urlprefix-:7001 proto=tcp",
        "urlprefix-:17000 proto=tcp",
        "urlprefix-/clipper/ strip=/clipper",
        "urlprefix-/clipper-iris2/ strip=/clipper-iris2",
        "urlprefix-/clipper-iris.management/",
        "urlprefix-elsewhere.example/clipper-iris/",
        "urlprefix-/",
        "urlprefix-",
        "",
        ":7000 proto=tcp",
    ],
)
def test_other_routes_are_no_conflict(tag: str) -> None:
    assert FabioLoadBalancer("fabio").find_conflicts("iris", {"other": [tag]}, OWN) == ()


def test_a_management_route_conflicts_where_there_is_one() -> None:
    fabio = FabioLoadBalancer("fabio", route_management=True)
    tags = {"other": ["urlprefix-/clipper-iris.management/"]}
    assert [each.service for each in fabio.find_conflicts("iris", tags, OWN)] == ["other"]


def test_without_a_load_balancer_there_are_no_routes() -> None:
    nothing: LoadBalancer = NoLoadBalancer()
    assert (nothing.query_address("iris"), nothing.rpc_address(), nothing.management_address("iris")) == (
        None,
    ) * 3
    assert nothing.query_tags("iris") + nothing.rpc_tags() + nothing.management_tags("iris") == ()
    assert nothing.find_conflicts("iris", {"other": ["urlprefix-:7000 proto=tcp"]}, OWN) == ()


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ContainerManagerError, match="address='http://fabio'"):
        FabioLoadBalancer("http://fabio")
    with pytest.raises(ContainerManagerError, match="tcp_proxy_port=0"):
        FabioLoadBalancer("fabio", tcp_proxy_port=0)

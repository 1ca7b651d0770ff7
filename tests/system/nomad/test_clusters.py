"""Clusters that share one Nomad, one Consul and one Fabio, and never meet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.nomad import DynamicVolume, FabioLoadBalancer
from tests.contract.nomad_harness import NomadHarness
from tests.support.models import constant
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.serving import SMALL, SUMS, Served

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pair(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path: Path
) -> Iterator[tuple[Served, Served]]:
    """Two clusters that serve a model of one name; the first's name is a prefix of the other's."""
    with contextlib.ExitStack() as stack:
        made: list[Served] = []
        for suffix in ("", "-b"):
            harness = NomadHarness(
                nomad_cluster, image_settings, model_resources=SMALL, redis_volume=DynamicVolume()
            )
            if made:
                harness.cluster_name = made[0].harness.cluster_name + suffix
            served = Served(stack.enter_context(harness), tmp_path)
            served.start()
            served.serve(constant(f'"of {harness.cluster_name}"'))
            made.append(served)
        yield made[0], made[1]


def test_one_cluster_is_stopped_and_the_other_is_untouched(pair: tuple[Served, Served]) -> None:
    first, other = pair
    assert first.harness.tcp_port != other.harness.tcp_port
    assert [each.ask(1.0)["output"] for each in pair] == [f"of {each.harness.cluster_name}" for each in pair]
    assert [each.connection.get_all_model_replicas() for each in pair] == [["sums:1:0"], ["sums:1:0"]]

    before = other.harness.parts()
    first.connection.set_num_replicas("sums", 2, 1)
    assert other.manager.get_replicas() == {SUMS: 1}
    first.connection.stop_all()
    assert first.harness.is_gone()
    assert other.harness.parts() == before
    answer = other.ask(2.0)
    assert (answer["output"], answer["default"]) == (f"of {other.harness.cluster_name}", False)
    with pytest.raises(ContainerManagerError, match="there is none"):
        first.harness.make_manager().connect()

    # The other way round: its name is a prefix of the running one's.
    first.start()
    other.connection.stop_all()
    assert other.harness.is_gone()
    assert first.harness.parts().keys() == {"redis", "management-frontend", "query-frontend.0"}
    assert first.ask(3.0)["default_reason"] == "no_model"


def test_a_third_on_a_taken_tcp_port_is_refused_and_leaves_nothing(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        first, third = (stack.enter_context(NomadHarness(nomad_cluster, image_settings)) for _ in range(2))
        served = Served(first, tmp_path)
        served.start()
        before = first.parts()
        balancer = FabioLoadBalancer(
            nomad_cluster.address, nomad_cluster.plan.ports.fabio_http, first.tcp_port
        )
        with pytest.raises(
            ContainerManagerError,
            match=rf"TCP port .*{first.tcp_port}.* is taken by cluster '{first.cluster_name}'",
        ):
            ClipperConnection(third.make_manager(load_balancer=balancer)).start_clipper()
        assert third.is_gone()
        assert first.parts() == before
        assert served.ask(1.0)["default_reason"] == "no_model"

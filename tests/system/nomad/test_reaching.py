"""Model containers on a real Nomad find and reach every query frontend, also once Nomad has moved one."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.nomad import NoLoadBalancer
from tests.support.frontends.cluster import predict
from tests.support.nomad.clipper import APP, Clipper
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.traffic import Traffic
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(240)


def await_reached(clipper: Clipper, wanted: Counter[int]) -> None:
    """Return once each replica has exactly these connections: surplus ones are closed soon."""

    def all_reach() -> bool:
        return all(clipper.ports_reached(index) == wanted for index in range(clipper.num_replicas))

    eventually(all_reach, "each replica reaches each frontend")


def test_through_the_proxy_alone(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path: Path
) -> None:
    with Clipper(nomad_cluster, image_settings, tmp_path, rpc_proxy_only=True) as clipper:
        wanted = Counter({clipper.harness.tcp_port: clipper.num_frontends})
        await_reached(clipper, wanted)
        with Traffic(clipper.connection.get_query_addr(), APP) as traffic:
            start_s = time.monotonic()
            clipper.move("query-frontend")
            clipper.wait_until_whole()
            traffic.more(50)
            figures = traffic.figures("query frontend moved", start_s)
        assert figures.num_lost == 0, figures
        await_reached(clipper, wanted)
        # All connections are cut, and made again by chance, some to a frontend that has one already.
        nomad_cluster.fabio.restart()
        await_reached(clipper, wanted)
        clipper.wait_until_whole()
        assert predict(clipper.connection.get_query_addr(), APP, input=[1.0, 2.0])["output"] == 3.0


def test_from_a_name_in_consul(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path: Path
) -> None:
    with Clipper(
        nomad_cluster,
        image_settings,
        tmp_path,
        num_frontends=2,
        num_replicas=1,
        manager={"load_balancer": NoLoadBalancer()},
    ) as clipper:
        await_reached(clipper, clipper.rpc_ports())
        before = clipper.rpc_ports()
        clipper.move("query-frontend")
        clipper.wait_until_whole()
        assert clipper.rpc_ports() != before
        await_reached(clipper, clipper.rpc_ports())
        # Only the name is left of the replica's first addresses.
        clipper.move("model")
        clipper.wait_until_whole()
        await_reached(clipper, clipper.rpc_ports())
        assert predict(clipper.connection.get_query_addr(), APP, input=[1.0, 2.0])["output"] == 3.0

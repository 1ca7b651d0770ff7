"""Three query frontends and two replicas on a real Nomad, with steady queries through Fabio: what is lost
when a part is killed, moved or changed. The figures are written to the terminal as they are measured.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.nomad import DynamicVolume
from tests.support.nomad.clipper import APP, MODEL, Clipper
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.traffic import Figures, Traffic
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(240)

#: From the last start of a task until every query frontend has every replica.
EVERYWHERE_S = 10.0
#: The time from an agent's start until all is as before; Consul makes each check within its interval.
AGENT_S = 15.0
#: The time until Consul (a check each second) and Fabio send no query to a dead frontend any more.
NOTICED_S = 3.0
#: Queries after the recovery, of which none may be lost.
AFTERWARDS = 50


class Watch:
    """Measures the losses of steady queries while a cluster is changed."""

    def __init__(self, clipper: Clipper, traffic: Traffic, config: pytest.Config) -> None:
        self._clipper = clipper
        self._traffic = traffic
        self._config = config

    def during(self, what: str, do: Callable[[], object]) -> Figures:
        """Return the figures until the cluster is whole again; nothing may be lost after that."""
        start_s = time.monotonic()
        do()
        self._clipper.wait_until_whole()
        whole_s = time.monotonic()
        started_ago_s = self._clipper.since_last_start_s()
        # Otherwise nothing was started.
        if started_ago_s < whole_s - start_s:
            assert started_ago_s < EVERYWHERE_S, f"{what}: late, each query frontend has each replica"
        self._traffic.more(AFTERWARDS)
        assert self._traffic.figures(what, whole_s).num_lost == 0, f"after: {what}"
        return self._report(what, start_s, whole_s)

    def until_answered(self, what: str, do: Callable[[], object]) -> Figures:
        """Return the figures until queries are answered as before, whatever Consul reports meanwhile."""
        start_s = time.monotonic()
        do()
        self._traffic.until_answered(AFTERWARDS)
        self._clipper.wait_until_whole()
        return self._report(what, start_s, time.monotonic())

    def _report(self, what: str, start_s: float, end_s: float) -> Figures:
        figures = self._traffic.figures(what, start_s)
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if terminal is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                terminal.write_line(f"\n{figures}; done after {end_s - start_s:.1f} s")
        return figures


@pytest.fixture(scope="module")
def clipper(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Clipper]:
    """A cluster that all tests of this module use."""
    folder = tmp_path_factory.mktemp("models")
    with Clipper(nomad_cluster, image_settings, folder, redis_volume=DynamicVolume()) as made:
        yield made


@pytest.fixture
def watch(clipper: Clipper, pytestconfig: pytest.Config) -> Iterator[Watch]:
    """Steady queries to the cluster, which is whole."""
    clipper.wait_until_whole()
    with Traffic(clipper.connection.get_query_addr(), APP) as traffic:
        yield Watch(clipper, traffic, pytestconfig)


def test_replicas_start_from_the_proxy_and_reach_the_frontends_themselves(clipper: Clipper) -> None:
    proxy, frontends = clipper.harness.tcp_port, clipper.rpc_ports()

    def is_reached_as_wanted(index: int) -> bool:
        reached = clipper.ports_reached(index)
        # The proxy connects to any one of them.
        direct = reached - Counter({proxy: 1})
        return reached.total() == clipper.num_frontends and direct <= frontends

    for index in range(clipper.num_replicas):
        # A second session with the frontend behind the proxy is closed soon.
        eventually(
            functools.partial(is_reached_as_wanted, index),
            f"replica {index} has a session with each frontend",
        )


@pytest.mark.parametrize("component", ["model", "management-frontend", "redis"])
def test_a_part_other_than_a_query_frontend_is_killed(clipper: Clipper, watch: Watch, component: str) -> None:
    figures = watch.during(f"{component} killed", lambda: clipper.kill(component))
    assert figures.num_lost == 0, figures
    assert_state_is_kept(clipper)


@pytest.mark.parametrize("component", ["model", "query-frontend", "management-frontend", "redis"])
def test_nomad_moves_an_allocation(clipper: Clipper, watch: Watch, component: str) -> None:
    figures = watch.during(f"{component} moved", lambda: clipper.move(component))
    assert figures.num_lost == 0, figures
    assert_state_is_kept(clipper)


def test_a_query_frontend_is_killed(clipper: Clipper, watch: Watch) -> None:
    figures = watch.during("query frontend killed", lambda: clipper.kill("query-frontend"))
    assert figures.num_defaulted == 0, figures
    assert figures.lost_for_s < NOTICED_S, figures


def assert_state_is_kept(clipper: Clipper) -> None:
    assert clipper.connection.get_all_apps() == [APP]
    assert clipper.connection.get_linked_models(APP) == [MODEL]
    assert f"{MODEL}:{clipper.version}" in clipper.connection.get_all_models()


@pytest.mark.parametrize("count", [2, 3])
def test_frontends_are_scaled(clipper: Clipper, watch: Watch, count: int) -> None:
    def scale() -> None:
        clipper.connection.start_clipper(num_frontend_replicas=count)

    what = f"frontends from {clipper.num_frontends} to {count}"
    clipper.num_frontends = count
    figures = watch.during(what, scale)
    assert figures.num_lost == 0, figures


@pytest.mark.parametrize("count", [1, 2])
def test_replicas_are_scaled(clipper: Clipper, watch: Watch, count: int) -> None:
    what = f"replicas from {clipper.num_replicas} to {count}"
    clipper.num_replicas = count
    figures = watch.during(what, lambda: clipper.connection.set_num_replicas(MODEL, count))
    assert figures.num_lost == 0, figures


def test_frontends_are_rolled(clipper: Clipper, watch: Watch) -> None:
    def roll() -> None:
        clipper.connection.start_clipper(num_frontend_replicas=clipper.num_frontends, cache_size=1 << 20)

    before = clipper.allocation_ids("query-frontend")
    figures = watch.during("frontends rolled", roll)
    assert figures.num_lost == 0, figures
    assert not before & clipper.allocation_ids("query-frontend")


def test_a_version_is_deployed(clipper: Clipper, watch: Watch) -> None:
    image = clipper.build_next()
    figures = watch.during("a version deployed", lambda: clipper.deploy_next(image))
    assert figures.num_lost == 0, figures
    assert figures.shifts == [clipper.version - 2, clipper.version - 1]
    figures = watch.during("the version before stopped", lambda: stop_inactive(clipper))
    assert figures.num_lost == 0, figures
    assert figures.shifts == [clipper.version - 1]


def stop_inactive(clipper: Clipper) -> None:
    clipper.connection.stop_inactive_model_versions([MODEL])


def test_nomad_is_restarted(clipper: Clipper, nomad_cluster: NomadCluster, watch: Watch) -> None:
    before = clipper.harness.parts()
    figures = watch.until_answered("Nomad restarted", nomad_cluster.nomad.restart)
    assert figures.num_lost == 0, figures
    assert clipper.harness.parts() == before


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_consul_is_restarted(
    clipper: Clipper, nomad_cluster: NomadCluster, watch: Watch, end: Literal["stop", "kill"]
) -> None:
    def restart() -> None:
        consul = nomad_cluster.consul
        consul.stop() if end == "stop" else consul.kill()
        consul.start()
        # Its agent begins with all checks failed, while the catalog still has the old state.
        eventually(clipper.passes_all_checks, "the agent has made all checks", AGENT_S)

    figures = watch.until_answered(f"Consul restarted after {end}", restart)
    # Fabio keeps its routes while Consul does not answer. But a Consul that stops in order answers
    # Fabio's last request without content: Fabio then has no route until Consul is back.
    assert figures.num_defaulted == 0, figures
    assert figures.lost_for_s < AGENT_S, figures


def test_fabio_is_restarted(nomad_cluster: NomadCluster, watch: Watch) -> None:
    figures = watch.until_answered("Fabio restarted", nomad_cluster.fabio.restart)
    assert figures.num_defaulted == 0, figures
    assert figures.lost_for_s < AGENT_S, figures

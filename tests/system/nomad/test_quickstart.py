"""The example of the Nomad manager's README, run as its readers do: a script, in a folder of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

from clipper_nomad.images import ImageSettings
from clipper_nomad.managers.nomad.load_balancer import DEFAULT_CLUSTER
from tests.contract.nomad_harness import NomadHarness
from tests.support.chromium import open_page
from tests.support.docker.engine import MissingServiceError, Registry, give_up
from tests.support.nomad.cluster import NomadCluster
from tests.support.paths import REPOSITORY
from tests.support.processes import eventually

README = REPOSITORY / "clipper_nomad" / "managers" / "nomad" / "README.md"
JOBS = {
    f"clipper.{DEFAULT_CLUSTER}.{part}"
    for part in ("redis", "query-frontend", "management-frontend", "model.scikit-learn-model.1")
}
SERVICES = {
    f"clipper-{DEFAULT_CLUSTER}-{service}" for service in ("redis", "query", "rpc", "management", "model")
}
# The fixture installs scikit-learn into an image; a new machine has no cache of it.
pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Outcome:
    """The output of the script, and the cluster that it left running."""

    printed: str
    harness: NomadHarness

    @property
    def url(self) -> str:
        """Return the application's URL: the one in the article, on this machine."""
        place = self.harness.place
        return f"http://{place.address}:{place.plan.ports.fabio_http}/clipper/app-1/predict"


def read_script(harness: NomadHarness, registry: Registry) -> str:
    """Return the script of the README, with this machine's addresses in place of its own."""
    blocks: list[str] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    script = next(block for block in blocks if "NomadContainerManager(" in block)
    place, ports = harness.place, harness.place.plan.ports
    for theirs, here in {
        'nomad_ip="10.65.30.43"': f'nomad_ip="{place.address}:{ports.nomad_http}"',
        "dns=ConsulDNS()": f'dns=ConsulDNS("{place.address}:{ports.consul_dns}")',
        "http_proxy_port=9999": f"http_proxy_port={ports.fabio_http}",
        "tcp_proxy_port=7000": f"tcp_proxy_port={harness.tcp_port}",
        "fabio.service.consul:9999": f"{place.address}:{ports.fabio_http}",
        "fabio.service.consul": place.address,
        "registry:5000": registry.address,
    }.items():
        assert theirs in script
        script = script.replace(theirs, here)
    return script


@contextlib.contextmanager
def removing_images(harness: NomadHarness, registry: Registry) -> Iterator[None]:
    """Remove the images that the script has built and pushed, once the block ends."""
    try:
        yield
    finally:
        harness.make_manager().remove_leftovers()
        for image in harness.engine.images.list(filters={"reference": f"{registry.address}/team/*"}):
            harness.engine.images.remove(image.id, force=True)


@pytest.fixture(scope="module")
def outcome(
    nomad_cluster: NomadCluster,
    image_settings: ImageSettings,
    registry: Registry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Outcome]:
    """The script, once it has run."""
    assert image_settings.base_image and image_settings.build_network
    folder = tmp_path_factory.mktemp("quickstart")
    with NomadHarness(nomad_cluster, image_settings) as harness, removing_images(harness, registry):
        harness.cluster_name = DEFAULT_CLUSTER
        harness.make_manager().remove_leftovers()
        (folder / "quickstart.py").write_text(read_script(harness, registry))
        finished = subprocess.run(
            [sys.executable, "quickstart.py"],
            cwd=folder,
            env={
                **os.environ,
                "CLIPPER_BASE_IMAGE": image_settings.base_image,
                "CLIPPER_BUILD_NETWORK": image_settings.build_network,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout
        yield Outcome(finished.stdout, harness)


def test_the_url_answers_with_the_default_before_a_model_is_linked_and_with_the_models_answer_after(
    outcome: Outcome,
) -> None:
    before, after = [line for line in outcome.printed.splitlines() if line.startswith("{'query_id'")]
    assert "'output': -1.0, 'default': True" in before
    assert "'No connected models found for query'" in before
    assert "'default': False" in after


def test_answers_equal_those_of_the_classifier(outcome: Outcome) -> None:
    rows, targets = load_diabetes(return_X_y=True)
    expected = LinearRegression().fit(rows, targets).predict(rows[:40])
    answer = requests.post(outcome.url, json={"input_batch": rows[:40].tolist()}, timeout=30)
    outputs = [each["output"] for each in answer.json()["batch_predictions"]]
    assert outputs == pytest.approx(expected.tolist(), rel=1e-12)


def test_jobs_are_in_nomad_services_in_consul_and_routes_in_fabio(outcome: Outcome) -> None:
    harness, place = outcome.harness, outcome.harness.place
    assert {job["ID"] for job in harness.jobs() if job["Status"] == "running"} == JOBS
    for service in SERVICES:
        # A model answers as soon as the frontends have it; Consul asks it once a second.
        eventually(
            functools.partial(place.consul.has_passing, service), f"Consul finds that {service} passes"
        )
    wanted = {"/clipper/", f":{harness.tcp_port}"}
    eventually(lambda: wanted <= {route["src"] for route in place.fabio.routes()}, "Fabio has both routes")
    routes = {route["src"]: route for route in place.fabio.routes()}
    assert routes["/clipper/"]["service"] == f"clipper-{DEFAULT_CLUSTER}-query"
    assert routes["/clipper/"]["opts"] == "strip=/clipper"
    assert routes[f":{harness.tcp_port}"]["service"] == f"clipper-{DEFAULT_CLUSTER}-rpc"
    assert not [each for each in routes.values() if each["service"].endswith("-management")]


async def test_nomads_ui_shows_the_jobs(outcome: Outcome, tmp_path: Path) -> None:
    """The Nomad manager's README has this picture, as nomad-jobs.png."""
    wanted = quote(f'Name contains "clipper.{DEFAULT_CLUSTER}."')
    rows = "[...document.querySelectorAll('table tbody tr')].map(row => row.innerText)"
    try:
        async with open_page(1200, 462) as page:
            await page.open(f"{outcome.harness.place.site.nomad_url}/ui/jobs?filter={wanted}")
            await page.wait_for(f"{rows}.filter(row => row.includes('Healthy')).length == {len(JOBS)}")
            assert {row.split()[0] for row in await page.evaluate(rows)} == JOBS
            picture = tmp_path / "nomad-jobs.png"
            picture.write_bytes(await page.screenshot())
    except MissingServiceError as error:
        give_up(str(error))
    assert picture.stat().st_size > 10_000


def test_stopping_leaves_nothing(outcome: Outcome) -> None:
    outcome.harness.make_manager().remove_leftovers()
    assert outcome.harness.is_gone()
    eventually(
        lambda: requests.post(outcome.url, json={"input": [0.0]}, timeout=30).status_code == 404,
        "the route is gone",
    )

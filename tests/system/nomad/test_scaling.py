"""Scaling on a real Nomad: shown in its API and UI, past the room, after a deploy, by another process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import ImageSettings
from clipper_nomad.jobspecs import model_job_id
from clipper_nomad.types import DeploySpec, ModelVersion, Resources
from tests.contract.nomad_harness import NomadHarness
from tests.support.chromium import open_page
from tests.support.docker.engine import MissingServiceError, give_up
from tests.support.models import row_sums
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.serving import SMALL, SUMS, Served, logged_lines
from tests.support.processes import eventually

pytestmark = pytest.mark.timeout(240)
WIDE = ModelVersion("wide", "1")
_WIDE_MHZ = 5_000
_NODE_MHZ = 16_000
_SCALED_WITHIN_S = 20


@pytest.fixture(scope="module")
def served(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A cluster whose application is answered by the sums, version 1."""
    with NomadHarness(
        nomad_cluster, image_settings, model_resources=SMALL, placement_timeout_s=2.0
    ) as harness:
        made = Served(harness, tmp_path_factory.mktemp("models"))
        made.start()
        made.serve(row_sums())
        yield made


@pytest.fixture(autouse=True)
def nothing_else(served: Served) -> Iterator[None]:
    """Leave only the first version, with one replica."""
    yield
    served.manager.stop_models(set(served.manager.get_replicas()) - {SUMS})
    served.manager.set_num_replicas(SUMS, 1)


def scaling_events(served: Served, model: ModelVersion = SUMS) -> list[dict[str, Any]]:
    """Return Nomad's record of scalings, the latest first."""
    job = quote(model_job_id(served.harness.cluster_name, model), safe="")
    status = served.harness.place.nomad.request("GET", f"/v1/job/{job}/scale")
    return list(status["TaskGroups"]["model"]["Events"] or [])


def test_a_scaling_is_an_event_with_a_message(served: Served) -> None:
    served.connection.set_num_replicas("sums", 2, 1)
    served.connection.set_num_replicas("sums", 1, 1)
    messages = [(each["Message"], each["Count"], each["Error"]) for each in scaling_events(served)[:2]]
    assert messages == [
        ("clipper-nomad: sums:1 from 2 to 1 replicas", 1, False),
        ("clipper-nomad: sums:1 from 1 to 2 replicas", 2, False),
    ]


async def test_the_event_is_in_nomads_ui(served: Served) -> None:
    shown = ModelVersion("shown", "1")
    served.manager.deploy(DeploySpec(shown, "doubles", served.build(row_sums()), num_replicas=0))
    # With two events the UI draws a diagram, whose messages show only under a pointer.
    served.manager.set_num_replicas(shown, 1)
    job = quote(model_job_id(served.harness.cluster_name, shown), safe="")
    message = "clipper-nomad: shown:1 from 0 to 1 replicas"
    try:
        async with open_page(1200, 900) as page:
            await page.open(f"{served.harness.place.site.nomad_url}/ui/jobs/{job}@default/model")
            await page.wait_for(f"document.body.innerText.includes({message!r})")
    except MissingServiceError as error:
        give_up(str(error))


async def test_scaling_past_the_room_names_the_dimension_and_leaves_what_is_placed(served: Served) -> None:
    served.manager.deploy(
        DeploySpec(WIDE, "doubles", served.build(row_sums()), resources=Resources(cpu=_WIDE_MHZ / 1000))
    )
    before = served.harness.parts()
    errors: list[pytest.ExceptionInfo[ContainerManagerError]] = []

    def scale() -> None:
        with pytest.raises(ContainerManagerError, match=r"^Only .* of 30 replicas") as raised:
            served.manager.set_num_replicas(WIDE, 30)
        errors.append(raised)

    with logged_lines() as lines:
        load, took_s = await served.while_asked(scale)
    assert took_s < _SCALED_WITHIN_S
    num_placed = served.manager.get_num_replicas(WIDE)
    assert 1 < num_placed <= _NODE_MHZ // _WIDE_MHZ
    errors[0].match(
        rf"^Only {num_placed} of 30 replicas of model version wide:1 fit \(it has {num_placed} now\): "
        f"{30 - num_placed} allocations are not placed: of 1 node, not enough cpu left on 1 node"
    )
    assert any("Model version wide:1 waits for a node: " in line and "cpu" in line for line in lines)
    assert (load.defaults, load.lost) == ([], [])
    after = served.harness.parts()
    assert before.items() <= after.items()
    assert {part for part in after if ".wide." in part} == {f"model.wide.1.{n}" for n in range(num_placed)}
    assert scaling_events(served, WIDE)[0]["Count"] == num_placed


def test_scaling_straight_after_a_deploy(served: Served) -> None:
    other = ModelVersion("other", "1")
    served.manager.deploy(DeploySpec(other, "doubles", served.build(row_sums()), num_replicas=1))
    served.manager.set_num_replicas(other, 3)
    served.manager.set_num_replicas(other, 2)
    assert served.manager.get_num_replicas(other) == 2
    assert served.job_allocations(other).keys() == {"model.other.1.0", "model.other.1.1"}
    connected = served.connection.get_all_model_replicas
    eventually(
        lambda: len([each for each in connected() if each.startswith("other:1:")]) == 2, "both are there"
    )
    served.manager.check_replicas(other)


def test_another_process_scales(served: Served) -> None:
    script = served.harness.connect_script() + (
        "from clipper_nomad import ModelVersion\nmanager.set_num_replicas(ModelVersion('sums', '1'), 2)\n"
    )
    before = served.job_allocations()
    subprocess.run([sys.executable, "-c", script], check=True)
    assert served.manager.get_num_replicas(SUMS) == 2
    assert before.items() <= served.job_allocations().items()
    served.connection.set_num_replicas("sums", 1, 1)
    assert served.job_allocations() == before

"""Models on devices, through a real device plugin: placed on one, seeing it, refused if there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clipper_nomad.errors import ContainerManagerError, DeploymentError
from clipper_nomad.images import ImageSettings
from clipper_nomad.types import Device, ModelVersion
from tests.contract.nomad_harness import NomadHarness
from tests.support.models import Model, row_sums
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.serving import SMALL, Served, logged_lines

pytestmark = pytest.mark.timeout(240)
FILES = ModelVersion("files", "1")
MOCK = "nomad/file/mock"


@pytest.fixture(scope="module")
def served(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A cluster whose application is answered by a model on one of the node's devices."""
    with NomadHarness(
        nomad_cluster, image_settings, model_resources=SMALL, placement_timeout_s=2.0
    ) as harness:
        made = Served(harness, tmp_path_factory.mktemp("models"))
        made.start()
        made.serve(seen_devices(), FILES, devices=[Device(MOCK)])
        yield made


def seen_devices() -> Model:
    """Return the names of the devices that the plugin mounts for the task: each is a file."""

    def predict(inputs: Any) -> list[str]:
        import json
        from pathlib import Path

        names = sorted(path.name for path in Path("/tmp/task-mounts").glob("*"))
        return [json.dumps(" ".join(names)) for _ in inputs]

    return predict


def assigned(served: Served, model: ModelVersion = FILES) -> list[str]:
    """Return the devices that Nomad has given to a version's allocations."""
    prefix = f"model.{model.name}.{model.version}."
    ids = [each["ID"] for part, each in served.harness.allocations().items() if part.startswith(prefix)]
    nomad = served.harness.place.nomad
    found = []
    for each in ids:
        for task in nomad.request("GET", f"/v1/allocation/{each}")["AllocatedResources"]["Tasks"].values():
            for device in task["Devices"] or ():
                assert f"{device['Vendor']}/{device['Type']}/{device['Name']}" == MOCK
                found += device["DeviceIDs"]
    return sorted(found)


def test_a_model_is_placed_on_a_device_and_sees_it(served: Served) -> None:
    (device,) = assigned(served)
    answer = served.ask(1.0)
    assert (answer["output"], answer["default"]) == (device, False)


def test_scaling_past_the_devices_raises_and_the_rest_runs_on(served: Served) -> None:
    plan = served.harness.place.plan
    before = served.job_allocations(FILES)
    with (
        logged_lines() as lines,
        pytest.raises(
            ContainerManagerError,
            match=r"Only 2 of 9 replicas of model version files:1 fit \(it has 2 now\): "
            r"7 allocations are not placed: of 1 node, "
            r"not enough devices left of nomad/file/mock \(count 1\)",
        ),
    ):
        served.connection.set_num_replicas("files", 9, 1)
    assert any("Model version files:1 waits for a node: " in line for line in lines)
    assert plan.devices == 2
    assert served.manager.get_num_replicas(FILES) == plan.devices
    assert before.items() <= served.job_allocations(FILES).items()
    assert assigned(served) == ["device-0", "device-1"]
    assert not served.ask(2.0)["default"]
    # Once more: nothing changes, and the error is the same.
    with pytest.raises(ContainerManagerError, match="Only 2 of 3 replicas"):
        served.connection.set_num_replicas("files", 3, 1)
    assert served.manager.get_num_replicas(FILES) == plan.devices
    served.connection.set_num_replicas("files", 1, 1)
    assert served.job_allocations(FILES) == before


def test_a_deploy_for_which_no_device_is_left_leaves_nothing(served: Served) -> None:
    other = ModelVersion("other", "1")
    image = served.build(row_sums())
    with pytest.raises(DeploymentError, match=r"could place none .*nomad/file/mock \(count 2\)"):
        served.connection.deploy_model("other", 1, "doubles", image, devices=[Device(MOCK, 2)])
    assert served.job_allocations(other) == {}
    assert len(assigned(served)) == 1
    assert not served.ask(3.0)["default"]


def test_a_constraint_that_no_device_meets_is_named(served: Served) -> None:
    image = served.build(row_sums())
    device = Device(MOCK, constraints=("${device.attr.cool-attribute} = plain",))
    with pytest.raises(
        DeploymentError,
        match=r"missing device nomad/file/mock "
        r"\(count 1, \$\{device.attr.cool-attribute\} = plain\) on 1 node",
    ):
        served.connection.deploy_model("other", 1, "doubles", image, devices=[device])
    assert not served.ask(4.0)["default"]

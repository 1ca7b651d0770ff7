"""The managers that the contract suite runs for: each test once for each, those marked `smoke` once more.

That is for the Nomad manager on nodes that run no images: all but how a task is run is the same there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from clipper_nomad.managers.nomad import DynamicVolume
from clipper_nomad.testing.harness import MakeHarness
from tests.contract.harness import DockerHarness, LocalHarness
from tests.contract.nomad_harness import NomadHarness
from tests.contract.raw_exec_harness import RawExecHarness

RAW_EXEC = "nomad-raw_exec"
MANAGERS = ("local", "docker", "nomad", RAW_EXEC)
_TIMEOUT_S = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests that are not run without images, and give the rest the time that clusters take."""
    folder = Path(__file__).parent
    for item in [each for each in items if each.path.parent == folder]:
        is_raw_exec = hasattr(item, "callspec") and item.callspec.params.get("make_harness") == RAW_EXEC
        if is_raw_exec and not item.get_closest_marker("smoke"):
            items.remove(item)
        item.add_marker(pytest.mark.timeout(_TIMEOUT_S))


@pytest.fixture(scope="module", params=MANAGERS)
def make_harness(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeHarness:
    """Make places for clusters of one manager. On Nomad, one that keeps no state starts sooner."""
    if request.param == "local":
        return lambda keeps_state=False: LocalHarness(tmp_path_factory.mktemp("state"))
    if request.param == RAW_EXEC:
        place = request.getfixturevalue("contract_nomad_cluster")
        return lambda keeps_state=False: RawExecHarness(place, tmp_path_factory.mktemp("archives"))
    settings = request.getfixturevalue("image_settings")
    if request.param == "nomad":
        cluster = request.getfixturevalue("contract_nomad_cluster")
        return lambda keeps_state=False: NomadHarness(
            cluster, settings, redis_volume=DynamicVolume() if keeps_state else None
        )
    client = request.getfixturevalue("docker_client")
    return lambda keeps_state=False: DockerHarness(client, settings)

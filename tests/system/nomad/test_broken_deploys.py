"""Deploys that fail on Nomad: each reports why in time, and the version before goes on answering."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clipper_container.kinds.closure import save_closure
from clipper_nomad.errors import BuildError, DeploymentError
from clipper_nomad.images import ImageSettings
from clipper_nomad.types import Device, ModelVersion, Resources
from tests.contract.nomad_harness import NomadHarness
from tests.support.docker.engine import Registry
from tests.support.models import Model, constant, row_sums
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.serving import SMALL, Served, logged_lines

pytestmark = pytest.mark.timeout(240)
BROKEN = ModelVersion("sums", "2")
_HAPPENS_AGAIN = r" on clipper-[a-z0-9]+ (was started|ended: |did not start: )"


@pytest.fixture(scope="module")
def served(
    nomad_cluster: NomadCluster, image_settings: ImageSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A cluster whose application is answered by the sums, version 1."""
    with NomadHarness(
        nomad_cluster, image_settings, model_resources=SMALL, placement_timeout_s=3.0
    ) as harness:
        made = Served(harness, tmp_path_factory.mktemp("models"))
        made.start()
        made.serve(row_sums())
        yield made


def loading(script: str) -> Model:
    """Return a model that runs a script when it is loaded."""

    class Loading:
        def __reduce__(self) -> Any:
            return exec, (script,)

        def __call__(self, inputs: Any) -> list[str]:
            return ["" for _ in inputs]

    return Loading()


@dataclass(frozen=True)
class Broken:
    """A broken deploy: its model and options, its error and logs, and its time limit."""

    function: Model | None = None
    image: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    says: str = ""
    logs: tuple[str, ...] = ()
    within_s: float = 20.0


CASES = {
    "crash at start": Broken(
        function=loading("raise RuntimeError('weights are missing')"),
        says=r"(?s)Replica 0 of model version sums:2 keeps failing: .*exit status 1.*weights are missing",
        logs=(r"^Replica 0 of model version sums:2 on clipper-[a-z0-9]+ was started",),
    ),
    "killed for memory": Broken(
        function=loading("b'x' * (1 << 30)"),
        options={"resources": Resources(memory=96)},
        says="Replica 0 of model version sums:2 keeps failing: .*it took more memory than its limit",
    ),
    "image missing": Broken(
        image="{registry}/team/sums@sha256:" + 64 * "0",
        says=r"(?s)Replica 0 of model version sums:2 keeps failing: .*Failed to pull `.*/team/sums.*"
        "(not found|unknown)",
        logs=(
            "^Replica 0 of model version sums:2 on clipper-[a-z0-9]+ reports: Downloading image",
            "^Replica 0 of model version sums:2 on clipper-[a-z0-9]+ did not start: Failed to pull",
        ),
    ),
    "no such device": Broken(
        options={"devices": (Device("nvidia/gpu"),)},
        says=r"could place none of its 1 replicas .*missing device nvidia/gpu \(count 1\) on 1 node",
        logs=(r"^Model version sums:2 waits for a node: .*missing device nvidia/gpu",),
    ),
    "too much memory": Broken(
        options={"resources": Resources(memory=9_000_000)},
        says="could place none of its 1 replicas .*not enough memory left on 1 node",
        logs=("^Model version sums:2 waits for a node: .*memory",),
    ),
    "never ready": Broken(
        function=loading("import time; print('reading weights', flush=True); time.sleep(600)"),
        options={"timeout_s": 12.0},
        says="(?s)sums:2 was not ready within 12 s.*reading weights",
        logs=(
            "^Model version sums:2 does not pass its check '.*ready' of [0-9.]+:[0-9]+ in Consul: 503 .*",
            "(?s)^Replica 0 of model version sums:2: The last lines of its log:.*reading weights",
        ),
    ),
}


@pytest.mark.parametrize("broken", CASES.values(), ids=list(CASES))
async def test_a_broken_deploy_says_why_and_leaves_the_version_before(
    served: Served, registry: Registry, broken: Broken
) -> None:
    image = (broken.image or "").format(registry=registry.address) or served.build(
        broken.function or row_sums()
    )
    before = served.harness.parts()

    def deploy() -> None:
        with pytest.raises(DeploymentError, match=broken.says):
            served.connection.deploy_model(BROKEN.name, BROKEN.version, "doubles", image, **broken.options)

    with logged_lines() as lines:
        load, took_s = await served.while_asked(deploy)
    assert took_s < broken.within_s
    for pattern in broken.logs:
        assert [line for line in lines if re.search(pattern, line)], lines
    assert not [line for line in lines if "Task received" in line or "Task Directory" in line]
    # Each event is logged once; a task that is started again ends again, with the same text.
    once = [line for line in lines if not re.search(_HAPPENS_AGAIN, line)]
    assert len(once) == len(set(once)), lines
    assert (load.defaults, load.lost) == ([], [])
    assert served.harness.parts() == before
    assert not [job for job in served.harness.jobs() if job["ID"].endswith(".2")]
    assert served.connection.get_all_models() == ["sums:1"]
    assert served.connection.get_current_model_version("sums") == "1"
    assert (await asyncio.to_thread(served.ask, 1.0, 2.0))["output"] == 3.0


async def test_an_unknown_package_fails_the_build_and_nothing_is_deployed(
    served: Served, tmp_path: Path
) -> None:
    before = served.harness.parts()
    save_closure(row_sums(), tmp_path / "model")

    def deploy() -> None:
        with pytest.raises(BuildError, match="no-such-package-of-clipper"):
            served.connection.build_and_deploy_model(
                BROKEN.name,
                BROKEN.version,
                "doubles",
                tmp_path / "model",
                "default",
                pkgs_to_install=["no-such-package-of-clipper==1.0"],
            )

    load, took_s = await served.while_asked(deploy)
    assert took_s < 60
    assert (load.defaults, load.lost) == ([], [])
    assert served.harness.parts() == before
    assert not [job for job in served.harness.jobs() if job["ID"].endswith(".2")]


def test_the_same_version_can_be_deployed_after_a_broken_deploy(served: Served) -> None:
    image = served.build(constant('"mended"'))
    served.connection.deploy_model(BROKEN.name, BROKEN.version, "doubles", image)
    assert served.ask(5.0)["output"] == "mended"

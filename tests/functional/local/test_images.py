"""Bundles of a local cluster: removed with the last version that refers to them, or by pruning."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.local import LocalContainerManager
from tests.support.local_clusters import CLUSTER_NAME, LocalCluster, build_model
from tests.support.models import constant, row_sums
from tests.support.processes import BIN


@pytest.fixture
def manager(cluster: LocalCluster) -> LocalContainerManager:
    return cluster.make_manager()


@pytest.fixture
def connection(manager: LocalContainerManager) -> Iterator[ClipperConnection]:
    made = ClipperConnection(manager)
    made.connect()
    yield made
    made.stop_all_model_containers()
    made.prune_models()


@pytest.fixture
def sums(connection: ClipperConnection, manager: LocalContainerManager, tmp_path: Path) -> str:
    del connection  # it has connected the manager
    return build_model(manager, tmp_path / "sums", row_sums())


@pytest.fixture
def ones(connection: ClipperConnection, manager: LocalContainerManager, tmp_path: Path) -> str:
    del connection  # it has connected the manager
    return build_model(manager, tmp_path / "ones", constant("1"))


def test_a_bundle_goes_with_the_last_version_that_refers_to_it(
    connection: ClipperConnection, sums: str
) -> None:
    connection.deploy_model("sums", 1, "doubles", sums)
    connection.deploy_model("sums", 2, "doubles", sums, num_replicas=0)
    connection.stop_versioned_models({"sums": ["1"]})
    assert Path(sums).exists()
    connection.stop_versioned_models({"sums": ["2"]})
    assert not Path(sums).exists()
    with pytest.raises(ContainerManagerError, match="removed when that is stopped: build it again"):
        connection.deploy_model("sums", 3, "doubles", sums)


def test_a_version_that_is_registered_keeps_its_bundle_and_can_be_current_again(
    connection: ClipperConnection, sums: str, ones: str
) -> None:
    connection.deploy_model("sums", 1, "doubles", sums)
    connection.deploy_model("sums", 2, "doubles", ones)
    connection.set_num_replicas("sums", 0, 1)
    connection.register_model("elsewhere", 1, "doubles", ones)
    connection.stop_versioned_models({"elsewhere": ["1"]})
    assert connection.prune_models() == []
    connection.set_model_version("sums", 1, 1)
    connection.stop_inactive_model_versions(["sums"])
    assert Path(sums).exists()
    assert not Path(ones).exists()


def test_pruning_removes_what_no_version_needs_and_a_dry_run_only_lists_it(
    cluster: LocalCluster, connection: ClipperConnection, sums: str, ones: str
) -> None:
    connection.deploy_model("sums", 1, "doubles", sums)
    (found,) = connection.prune_models(dry_run=True)
    assert found.name == ones
    assert found.size_bytes > 0
    assert Path(ones).exists()
    command = [str(BIN / "clipper-nomad"), "--cluster-name", CLUSTER_NAME, "--state-dir"]
    pruned = subprocess.run(
        [*command, str(cluster.state_root), "models", "prune", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [each["name"] for each in json.loads(pruned.stdout)] == [ones]
    assert not Path(ones).exists()
    assert Path(sums).exists()
    assert connection.prune_models() == []


def test_a_failed_deployment_leaves_its_bundle_to_the_next(
    connection: ClipperConnection, sums: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(type(connection.cm), "check_replicas", _interrupt)
        connection.deploy_model("sums", 1, "doubles", sums)
    connection.deploy_model("sums", 1, "doubles", sums)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt

"""Files that the managers keep on disk: their owner's alone, and not another user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipper_nomad.errors import BuildError, ContainerManagerError
from clipper_nomad.managers.disk import private_files
from clipper_nomad.managers.nomad.drivers.pip_cache import PackageCache
from clipper_nomad.types import ClusterSpec, DeploySpec, ModelVersion
from tests.support.local_clusters import LocalCluster, build_model
from tests.support.models import row_sums
from tests.support.processes import eventually

MODEL = ModelVersion("sums", "1")


@pytest.fixture
def _open_umask() -> Iterator[None]:
    """Let files be made with all rights for everybody, unless who makes them takes care."""
    before = os.umask(0)
    yield
    os.umask(before)


def opened_to_others(root: Path) -> list[Path]:
    """Return what others have any rights on, links aside."""
    found = [root, *root.rglob("*")]
    return [each for each in found if not each.is_symlink() and each.stat().st_mode & 0o077]


@pytest.mark.usefixtures("_open_umask")
def test_all_files_of_a_cluster_are_its_owners_alone(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # A short path, so that the socket lies there too.
    root = tmp_path_factory.mktemp("s") / "all"
    with LocalCluster(root) as cluster:
        manager = cluster.make_manager()
        manager.start_clipper(ClusterSpec())
        manager.deploy(DeploySpec(MODEL, "doubles", build_model(manager, tmp_path / "model", row_sums())))
        eventually(lambda: cluster.is_ready("model.sums.1.0"), "the replica is ready")
        assert (cluster.state.supervisor_dir / "supervisor.sock").exists()
        assert opened_to_others(root) == []
        manager.stop_all(keep_state=True)
        (cluster.state.logs_dir / "redis.log").chmod(0o644)
        cluster.state.bundles_dir.chmod(0o755)
        manager.start_clipper(ClusterSpec())
        assert opened_to_others(root) == []


@pytest.mark.parametrize("is_root", [True, False])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_state_directory_that_others_may_write_to_is_refused(
    tmp_path: Path, is_root: bool, mode: int
) -> None:
    with LocalCluster(tmp_path) as cluster:
        cluster.state.path.mkdir()
        opened = tmp_path if is_root else cluster.state.path
        opened.chmod(mode)
        refused = pytest.raises(ContainerManagerError, match=f"can be written by other.*chmod go-w {opened}")
        with refused:
            cluster.make_manager().start_clipper(ClusterSpec())
        with refused:
            cluster.make_manager().connect()
        opened.chmod(0o700)


def test_a_state_directory_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = LocalCluster(tmp_path)
    me = os.geteuid()
    monkeypatch.setattr(private_files, "_ROOT", -1)
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(ContainerManagerError, match=f"belongs to the user with the id {me}.*chown -R"):
        cluster.make_manager().start_clipper(ClusterSpec())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_open_umask")
def test_a_cache_of_packages_is_its_owners_alone_and_not_taken_from_others(tmp_path: Path) -> None:
    directory = tmp_path / "cache" / "packages"
    PackageCache(directory).provide(())
    assert opened_to_others(tmp_path / "cache") == []
    directory.chmod(0o777)
    with pytest.raises(BuildError, match=r"can be written by other users.*chmod go-w"):
        PackageCache(directory).provide(())

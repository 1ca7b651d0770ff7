"""Models built for a local cluster: copies named by content, and packages that are missing here."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from clipper_nomad.errors import BuildError, ClipperWarning
from clipper_nomad.managers.local import LocalContainerManager
from clipper_nomad.managers.local.bundles import read_bundle
from clipper_nomad.types import BuildSpec, DeploySpec, ModelVersion
from tests.support.local_clusters import LocalCluster, build_model
from tests.support.models import Model
from tests.support.processes import eventually

MODEL = ModelVersion("m", "1")


@pytest.fixture
def manager(cluster: LocalCluster) -> LocalContainerManager:
    made = cluster.make_manager()
    made.connect()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "inner").mkdir(parents=True)
    (made / "inner" / "weights").write_text("1 2 3")
    return made


@pytest.fixture
def package_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let pip find packages in one folder only, which has `clipper-tiny` 1.0."""
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / "clipper_tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("clipper_tiny.py", "ANSWER = '42'\n")
        metadata = "clipper_tiny-1.0.dist-info"
        wheel.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: clipper-tiny\nVersion: 1.0\n")
        wheel.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{metadata}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return index


def test_a_bundle_is_a_copy_named_by_its_content(manager: LocalContainerManager, folder: Path) -> None:
    image = manager.build(BuildSpec(MODEL, folder))
    assert (Path(image) / "model" / "inner" / "weights").read_text() == "1 2 3"
    assert manager.build(BuildSpec(ModelVersion("other", "7"), folder)) == image
    (folder / "inner" / "weights").write_text("1 2 4")
    assert manager.build(BuildSpec(MODEL, folder)) != image
    assert (Path(image) / "model" / "inner" / "weights").read_text() == "1 2 3"


def test_installed_packages_are_not_installed_again(
    cluster: LocalCluster, manager: LocalContainerManager, folder: Path
) -> None:
    image = manager.build(BuildSpec(MODEL, folder, pkgs_to_install=("numpy>=1", "msgspec")))
    assert read_bundle(image).python == sys.executable
    assert not cluster.state.environments_dir.exists()


@pytest.mark.usefixtures("package_index")
def test_a_missing_package_is_installed_once_beside_the_current_environment(
    cluster: LocalCluster, manager: LocalContainerManager, tmp_path: Path
) -> None:
    def answering() -> Model:
        def predict(inputs: object) -> list[str]:
            import clipper_tiny  # type: ignore[import-not-found]

            return [clipper_tiny.ANSWER for _ in inputs]  # type: ignore[attr-defined]

        return predict

    image = build_model(manager, tmp_path / "tiny", answering(), "clipper-tiny>=1", "numpy")
    python = Path(read_bundle(image).python)
    assert python.is_relative_to(cluster.state.environments_dir)
    packages = next((python.parent.parent / "lib").glob("*/site-packages"))
    assert {each.name for each in packages.glob("*.py")} == {"clipper_tiny.py"}
    assert not list(packages.glob("numpy*"))

    marker = python.parent.parent / "clipper-complete"
    made_at = marker.stat().st_mtime_ns
    assert build_model(manager, tmp_path / "tiny", answering(), "numpy", "clipper-tiny>=1") == image
    assert marker.stat().st_mtime_ns == made_at

    manager.deploy(DeploySpec(MODEL, "doubles", image))
    eventually(lambda: cluster.is_ready("model.m.1.0"), "the model runs in its environment")
    manager.stop_models([MODEL])


@pytest.mark.usefixtures("package_index")
def test_an_unfinished_environment_is_made_again(manager: LocalContainerManager, folder: Path) -> None:
    spec = BuildSpec(MODEL, folder, pkgs_to_install=("clipper-tiny==1.0",))
    environment = Path(read_bundle(manager.build(spec)).python).parent.parent
    (module,) = environment.glob("lib/*/site-packages/clipper_tiny.py")
    (environment / "clipper-complete").unlink()
    module.unlink()
    manager.build(spec)
    assert module.exists()


@pytest.mark.usefixtures("package_index")
def test_a_package_that_cannot_be_installed_is_named(manager: LocalContainerManager, folder: Path) -> None:
    with pytest.raises(BuildError, match=r"(?s)Could not install clipper-absent.*No matching distribution"):
        manager.build(BuildSpec(MODEL, folder, pkgs_to_install=("clipper-tiny", "clipper-absent")))


def test_a_missing_folder_cannot_be_built(manager: LocalContainerManager, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="this folder does not exist"):
        manager.build(BuildSpec(MODEL, tmp_path / "absent"))


def test_images_and_registries_mean_nothing(manager: LocalContainerManager, folder: Path) -> None:
    with pytest.warns(ClipperWarning, match="container_registry is ignored"):
        manager.build(BuildSpec(MODEL, folder, container_registry="registry"))
    with pytest.warns(ClipperWarning, match="base_image is ignored"):
        manager.build(BuildSpec(MODEL, folder, base_image="clipper/special"))

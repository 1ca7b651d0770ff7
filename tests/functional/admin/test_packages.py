"""The packages that a closure brings with it, and their versions."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from clipper_nomad.deployers.packing.closure import packed_closure
from clipper_nomad.deployers.packing.packages import add_recorded_packages
from clipper_nomad.errors import ClipperWarning

CLOUDPICKLE = f"cloudpickle=={version('cloudpickle')}"
NUMPY = f"numpy=={version('numpy')}"
SCIKIT_LEARN = f"scikit-learn=={version('scikit-learn')}"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose distributions are installed."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    return folder


def install(site: Path, name: str, files: tuple[str, ...], more: Mapping[str, str] | None = None) -> None:
    info = site / f"{name.replace('-', '_')}-1.5.dist-info"
    info.mkdir()
    metadata = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n",
        "RECORD": "".join(f"{file},,\n" for file in files),
        **(more or {}),
    }
    for file, text in metadata.items():
        (info / file).write_text(text)
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).touch()


def packages_of(func: object, *given: str) -> list[str]:
    with packed_closure(func, given) as packed:  # type: ignore[arg-type]
        return list(packed.pkgs_to_install or ())


def test_a_fitted_model_brings_the_version_it_was_fitted_with() -> None:
    model = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    assert {NUMPY, SCIKIT_LEARN} <= set(packages_of(model.predict))
    assert {CLOUDPICKLE, NUMPY, SCIKIT_LEARN} == set(packages_of(lambda xs: model.predict(xs)))


def test_a_function_brings_what_it_uses_and_no_more() -> None:
    assert packages_of(lambda xs: [str(sum(x)) for x in xs]) == [CLOUDPICKLE]
    assert packages_of(lambda xs: [np.sum(x) for x in xs]) == [CLOUDPICKLE, NUMPY]


def test_what_is_asked_for_wins() -> None:
    given = ("NumPy<2", "cloudpickle[extra] @ https://host/cloudpickle.whl", "other")
    assert packages_of(lambda xs: np.sum(xs), *given) == list(given)


@pytest.mark.parametrize(
    "given", ["git+https://host/np#egg=numpy", "/wheels/numpy-1.0-py3-none-any.whl", "numpy"]
)
def test_what_is_asked_for_is_known_in_all_of_pips_forms(given: str) -> None:
    assert list(add_recorded_packages(["numpy"], [given]) or ()) == [given]


def test_what_travels_brings_what_it_imports(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "Clipper_Test.Dep", ("clipper_test_dep.py",))
    (tmp_path / "clipper_test_local.py").write_text("import clipper_test_dep\ndef f(xs): return xs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("clipper_test_local")
    assert packages_of(module.f) == ["clipper-test-dep==1.5"]


def test_of_a_namespace_only_what_is_used_is_taken(site: Path) -> None:
    install(site, "clipper-test-one", ("clipper_test_ns/one.py",))
    install(site, "clipper-test-two", ("clipper_test_ns/two.py",))
    assert list(add_recorded_packages(["clipper_test_ns.two"], None) or ()) == ["clipper-test-two==1.5"]


def test_this_project_is_not_installed_for_a_model() -> None:
    assert list(add_recorded_packages(["clipper_container.metrics", "clipper_nomad", "json"], ()) or ()) == []


def test_what_no_index_has_is_told(site: Path) -> None:
    origin = {"direct_url.json": '{"url": "file:///home/me/thing", "dir_info": {}}'}
    install(site, "clipper-test-thing", ("clipper_test_thing.py",), origin)
    with pytest.warns(ClipperWarning, match="clipper-test-thing 1.5.*file:///home/me/thing.*pkgs_to_install"):
        assert list(add_recorded_packages(["clipper_test_thing"], None) or ()) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asked_for = ["clipper-test-thing @ https://host/thing.whl"]
        assert list(add_recorded_packages(["clipper_test_thing"], asked_for) or ()) == asked_for


def test_credentials_of_where_it_came_from_are_not_told(site: Path) -> None:
    origin = {"direct_url.json": '{"url": "https://me:secret@host/thing", "vcs_info": {"vcs": "git"}}'}
    install(site, "clipper-test-vcs", ("clipper_test_vcs.py",), origin)
    with pytest.warns(ClipperWarning, match=r"https://host/thing") as caught:
        add_recorded_packages(["clipper_test_vcs"], None)
    assert "secret" not in str(caught[0].message)


def test_what_somebody_works_on_travels_and_is_not_installed(site: Path) -> None:
    origin = {"direct_url.json": '{"url": "file:///home/me/work", "dir_info": {"editable": true}}'}
    install(site, "clipper-test-work", ("clipper_test_work.py",), origin)
    assert list(add_recorded_packages(["clipper_test_work"], None) or ()) == []


def test_condas_packages_are_in_an_index_too(site: Path) -> None:
    more = {"direct_url.json": '{"url": "file:///croot/built"}', "INSTALLER": "conda\n"}
    install(site, "clipper-test-conda", ("clipper_test_conda.py",), more)
    assert list(add_recorded_packages(["clipper_test_conda"], None) or ()) == ["clipper-test-conda==1.5"]


def test_a_build_of_its_own_index_is_asked_for_by_its_version(site: Path) -> None:
    more = {"METADATA": "Metadata-Version: 2.1\nName: clipper-test-build\nVersion: 1.5+cpu\n"}
    install(site, "clipper-test-build", ("clipper_test_build.py",), more)
    assert list(add_recorded_packages(["clipper_test_build"], None) or ()) == ["clipper-test-build==1.5"]

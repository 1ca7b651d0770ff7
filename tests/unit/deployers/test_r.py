"""Saved models of R's, found and refused before anything is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipper_container.kinds.manifest import write_manifest
from clipper_nomad.deployers.r import clipperr_folder, find_model
from clipper_nomad.errors import ClipperException


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model's folder, as clipperr::save_model() writes it."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.rds").touch()
    write_manifest(tmp_path, "r", {"format": 1, "model": {"input_type": "doubles"}})
    return tmp_path


def test_the_folder_and_the_file_in_it_are_the_model(saved: Path) -> None:
    assert find_model(saved, "doubles") == saved
    assert find_model(str(saved / "model" / "model.rds"), "d") == saved


def test_floats_are_doubles_in_r(saved: Path) -> None:
    assert find_model(saved, "floats") == saved


def test_another_input_type_than_the_samples_is_refused(saved: Path) -> None:
    with pytest.raises(ClipperException, match=r"sample input of type doubles.*'strings'"):
        find_model(saved, "strings")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipperException, match="no model that was saved in R"):
        find_model(tmp_path, "doubles")


def test_a_model_of_another_kind_is_refused(saved: Path) -> None:
    write_manifest(saved, "onnx", {"format": 1, "model": {}})
    with pytest.raises(ClipperException, match="kind 'onnx'"):
        find_model(saved, "doubles")


def test_a_folder_without_its_file_is_refused(saved: Path) -> None:
    (saved / "model" / "model.rds").unlink()
    with pytest.raises(ClipperException, match=r"model/model\.rds is missing"):
        find_model(saved, "doubles")


def test_the_package_for_r_comes_with_the_library() -> None:
    assert (clipperr_folder() / "NAMESPACE").is_file()

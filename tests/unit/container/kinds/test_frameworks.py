"""The base of frameworks' kinds: which batch a model gets, and what becomes of its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipper_container.kinds.closure import save_pickled
from clipper_container.kinds.frameworks.base import FrameworkModel
from clipper_container.kinds.frameworks.device import choose_device
from clipper_container.kinds.frameworks.layout import FORMAT, MODEL_FOLDER, PICKLED_FOLDER
from clipper_container.kinds.frameworks.outputs import to_rows
from clipper_container.model import ModelLoadError


class Sums(FrameworkModel):
    """A model that notes its batches, and sums rows; what it declares stands in the manifest."""

    def open(self, folder: Path, fields: Mapping[str, Any], pickled: Any) -> None:
        """Take what the manifest declares."""
        assert folder.is_dir()
        self.batches: list[Any] = []
        self.pickled = pickled
        self.input_dtype = np.dtype(fields["dtype"]) if "dtype" in fields else None
        self.input_shape = tuple(fields["shape"]) if "shape" in fields else None

    def arguments(self) -> tuple[Any, ...]:
        """Return the model's name."""
        return ("sums",)

    def infer(self, batch: Any) -> Any:
        """Return the sum of each input."""
        self.batches.append(batch)
        return batch.reshape(len(batch), -1).sum(axis=1)


def load(folder: Path, *, warm_up: bool = True, format_: int = FORMAT, **fields: Any) -> Sums:
    (folder / MODEL_FOLDER).mkdir(exist_ok=True)
    loaded = Sums.load(folder, {"kind": "sums", "format": format_, "warm_up": warm_up, "model": fields})
    assert isinstance(loaded, Sums)
    return loaded


def test_inputs_get_the_dtype_and_the_shape_that_the_model_declares(tmp_path: Path) -> None:
    model = load(tmp_path, dtype="float32", shape=[2, 3])
    assert list(model.predict(np.ones((4, 6)))) == [6.0] * 4
    (batch,) = model.batches
    assert (batch.dtype, batch.shape) == (np.dtype("float32"), (4, 2, 3))


def test_inputs_of_another_length_are_left_to_the_framework_to_refuse(tmp_path: Path) -> None:
    model = load(tmp_path, shape=[2, 3])
    model.predict(np.ones((4, 5)))
    assert model.batches[0].shape == (4, 5)


def test_inputs_of_several_lengths_are_inferred_on_by_length_and_answered_in_order(tmp_path: Path) -> None:
    model = load(tmp_path)
    inputs = np.empty(4, dtype=object)
    inputs[:] = [np.ones(2), np.ones(3), np.ones(2), np.ones(1)]
    assert list(model.predict(inputs)) == [2.0, 3.0, 2.0, 1.0]
    assert [batch.shape for batch in model.batches] == [(2, 2), (1, 3), (1, 1)]


def test_a_function_gets_the_model_and_the_inputs_as_they_came(tmp_path: Path) -> None:
    save_pickled((lambda model, xs: [f"{model} {x.dtype}" for x in xs], "more"), tmp_path / PICKLED_FOLDER)
    model = load(tmp_path, dtype="float32")
    assert model.predict(np.ones((2, 3))) == ["sums float64"] * 2
    assert model.pickled == "more"


def test_what_the_model_declares_is_what_it_is_warmed_up_with(tmp_path: Path) -> None:
    assert load(tmp_path, shape=[2, 3]).input_length == 6
    assert load(tmp_path).input_length is None
    assert load(tmp_path, shape=[2, 3], warm_up=False).input_length is None


def test_a_folder_of_a_later_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="format 2: this runtime reads format 1"):
        load(tmp_path, format_=2)


def test_several_outputs_by_name_become_an_object_for_each_input() -> None:
    outputs = {"label": np.array([1, 0]), "scores": np.array([[0.1, 0.9], [0.8, 0.2]])}
    rows = to_rows(outputs, 2)
    assert rows[0]["label"] == 1  # type: ignore[index]
    assert list(rows[1]["scores"]) == [0.8, 0.2]  # type: ignore[index]
    assert to_rows({"only": [3, 4]}, 2) == [3, 4]
    with pytest.raises(ValueError, match="output 'label' has 2 rows for 3 inputs"):
        to_rows(outputs, 3)


def test_cuda_is_taken_where_it_is_and_is_an_error_where_it_is_not() -> None:
    assert choose_device({}, lambda: False, "it") == "cpu"
    assert choose_device({"device": "auto"}, lambda: True, "it") == "cuda"
    assert choose_device({"device": "cpu"}, lambda: True, "it") == "cpu"
    with pytest.raises(ModelLoadError, match="device='cuda', and Torch finds no CUDA device here"):
        choose_device({"device": "cuda"}, lambda: False, "Torch")
    with pytest.raises(ModelLoadError, match="'tpu': use 'auto', 'cpu' or 'cuda'"):
        choose_device({"device": "tpu"}, lambda: True, "it")

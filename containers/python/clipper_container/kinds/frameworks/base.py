"""The base of all kinds that serve a framework's model: from a folder (see layout) to answers.

A subclass opens the native form, and infers on a batch that has the dtype and the shape that the model
declares. A function of the user's is given the model and the inputs as they came, and does all that itself.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
from numpy.typing import NDArray

from clipper_container.kinds.closure import load_pickled
from clipper_container.kinds.frameworks.frames import make_frame
from clipper_container.kinds.frameworks.layout import FORMAT, MODEL_FOLDER, PICKLED_FOLDER
from clipper_container.kinds.frameworks.outputs import to_rows
from clipper_container.model import Inputs, Model, ModelLoadError, Outputs


class FrameworkModel(Model):
    """A framework's model in its native form, and perhaps a user's function around it.

    A subclass sets what it knows in open(): `input_dtype` and `input_shape` (of one input) are those that the
    model declares, `columns` the names of its DataFrame's columns. None is what it does not declare.
    """

    warm_up_sizes = (1, 2, 32)

    def __init__(self, *, warm_up: bool = True) -> None:
        self.input_dtype: Optional[np.dtype[Any]] = None
        self.input_shape: Optional[tuple[int, ...]] = None
        self.columns: Optional[tuple[str, ...]] = None
        self._function: Optional[Callable[..., Any]] = None
        self._warms_up = warm_up

    @classmethod
    def load(cls, directory: Path, manifest: Mapping[str, Any]) -> FrameworkModel:
        """Return the model in `directory`. Raises ModelLoadError, and what its framework raises."""
        if manifest.get("format") != FORMAT:
            raise ModelLoadError(
                f"{directory} holds a model of kind {manifest['kind']!r} in format "
                f"{manifest.get('format')!r}: this runtime reads format {FORMAT}; save the model with the "
                "version of the admin library that started the cluster"
            )
        model = cls(warm_up=bool(manifest.get("warm_up", True)))
        model.prepare(manifest["model"])
        pickled = None
        if (directory / PICKLED_FOLDER).is_dir():
            model._function, pickled = load_pickled(directory / PICKLED_FOLDER)
        model.open(directory / MODEL_FOLDER, manifest["model"], pickled)
        return model

    def prepare(self, fields: Mapping[str, Any]) -> None:
        """Set what must be set before the framework is imported; `fields` are the manifest's."""

    @abc.abstractmethod
    def open(self, folder: Path, fields: Mapping[str, Any], pickled: Any) -> None:
        """Load the native form in `folder`; `pickled` is what came with the function, or None.

        Import the framework here. Raises ModelLoadError, or what the framework raises.
        """

    @abc.abstractmethod
    def infer(self, batch: Any) -> Any:
        """Return the model's outputs for a batch: an array (n, …), or a DataFrame of n rows.

        The outputs are what to_rows() takes: an array, a tensor, a list, a mapping of these by name.
        """

    def arguments(self) -> tuple[Any, ...]:
        """Return what the user's function gets before the inputs."""
        raise ModelLoadError(f"{type(self).__name__} takes no function")

    @property
    def input_length(self) -> Optional[int]:
        """Return the length of the inputs that the model declares; None if it need not be asked."""
        if not self._warms_up or self.input_shape is None or self.columns:
            return None
        return math.prod(self.input_shape)

    def predict(self, inputs: Inputs) -> Outputs:
        """Return one output for each input: of the user's function, or of the model."""
        if self._function is not None:
            return to_rows(self._function(*self.arguments(), inputs), len(inputs))
        if self.columns:
            return to_rows(self.infer(make_frame(inputs, self.columns)), len(inputs))
        if inputs.dtype != object:
            return self._infer_rows(inputs)
        return self._infer_by_length(inputs)

    def _infer_rows(self, inputs: Inputs) -> Outputs:
        return to_rows(self.infer(self._shaped(inputs)), len(inputs))

    def _infer_by_length(self, inputs: Inputs) -> Outputs:
        """Infer on inputs of one length at a time: a model takes matrices. Texts are one group."""
        if isinstance(inputs[0], str):
            return to_rows(self.infer(inputs), len(inputs))
        places: dict[int, list[int]] = {}
        for place, each in enumerate(inputs):
            places.setdefault(len(each), []).append(place)
        outputs: list[object] = [None] * len(inputs)
        for group in places.values():
            rows = self._infer_rows(np.stack([inputs[place] for place in group]))
            for place, row in zip(group, rows):
                outputs[place] = row
        return outputs

    def _shaped(self, inputs: Inputs) -> NDArray[Any]:
        """Return the inputs in the dtype and the shape that the model declares."""
        batch = inputs if self.input_dtype is None else inputs.astype(self.input_dtype, copy=False)
        shape = self.input_shape
        if shape is not None and len(shape) != 1 and batch.shape[1] == math.prod(shape):
            batch = batch.reshape(len(batch), *shape)
        return batch

"""The kind `onnx`: a model in ONNX, computed by ONNX Runtime.

model/model.onnx     the model, with files of its weights beside it if it is too large for one
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clipper_container.kinds.frameworks.base import FrameworkModel
from clipper_container.kinds.frameworks.device import CPU, choose_device
from clipper_container.model import ModelLoadError
from clipper_container.threads import count_own_threads

KIND = "onnx"
MODEL_NAME = "model.onnx"
_CUDA_PROVIDER = "CUDAExecutionProvider"
_CPU_PROVIDER = "CPUExecutionProvider"
_DTYPES: Mapping[str, str] = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


class OnnxModel(FrameworkModel):
    """A session of ONNX Runtime; a function of the user's gets the session.

    A model of one input takes the whole row. One of several inputs of one column each, as converted Spark
    pipelines have, takes a column for each.
    """

    def open(self, folder: Path, fields: Mapping[str, Any], pickled: Any) -> None:
        """Open the session, with this replica's threads, which do not spin."""
        del pickled
        import onnxruntime

        device = choose_device(
            fields, lambda: _CUDA_PROVIDER in onnxruntime.get_available_providers(), "ONNX Runtime"
        )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = count_own_threads()
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = [_CPU_PROVIDER] if device == CPU else [_CUDA_PROVIDER, _CPU_PROVIDER]
        try:
            self._session = onnxruntime.InferenceSession(folder / MODEL_NAME, options, providers=providers)
        except Exception as exc:  # its exceptions have no common base
            raise ModelLoadError(f"ONNX Runtime cannot load {MODEL_NAME}: {exc}") from exc
        self._inputs = self._session.get_inputs()
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._describe_input()

    def _describe_input(self) -> None:
        first = self._inputs[0]
        dtype = _DTYPES.get(first.type)
        self.input_dtype = None if dtype is None else np.dtype(dtype)
        shape = tuple(first.shape[1:])
        if dtype is not None and all(isinstance(size, int) for size in shape):
            self.input_shape = shape if len(self._inputs) == 1 else (len(self._inputs),)

    def arguments(self) -> tuple[Any, ...]:
        """Return the session."""
        return (self._session,)

    def infer(self, batch: Any) -> Any:
        """Return the model's output, or its outputs by name if it has several."""
        if len(self._inputs) == 1:
            feed = {self._inputs[0].name: batch}
        else:
            feed = {each.name: _column(batch, place, each) for place, each in enumerate(self._inputs)}
        return dict(zip(self._outputs, self._session.run(self._outputs, feed)))


def _column(batch: Any, place: int, wanted: Any) -> Any:
    """Return one column as a matrix (n, 1), in the dtype of the input that takes it."""
    dtype = _DTYPES.get(wanted.type, object)
    column = batch[:, place : place + 1]
    return column.astype(dtype, copy=False)

"""The outputs of frameworks as rows: tensors, DataFrames, and several outputs by name, one row an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clipper_container.model import Outputs


def to_rows(outputs: Any, count: int) -> Outputs:
    """Return what a framework returned as `count` outputs, one for each input.

    A tensor becomes an array, a DataFrame one record a row, a Series its values. A mapping of several outputs
    by name becomes a mapping a row; one of a single output is that output.
    """
    if isinstance(outputs, np.ndarray):
        return outputs
    if isinstance(outputs, Mapping):
        return _rows_by_name(outputs, count)
    if hasattr(outputs, "detach"):  # torch
        outputs = outputs.detach().cpu()
        # NumPy knows no bfloat16.
        outputs = outputs.float() if str(outputs.dtype) == "torch.bfloat16" else outputs
        return np.asarray(outputs.numpy())
    if hasattr(outputs, "to_dict"):  # pandas
        return list(outputs.to_dict("records")) if hasattr(outputs, "columns") else list(outputs)
    if hasattr(outputs, "toarray"):  # SciPy's sparse matrices
        return np.asarray(outputs.toarray())
    if hasattr(outputs, "numpy"):  # TensorFlow
        return np.asarray(outputs.numpy())
    return outputs if isinstance(outputs, Sequence) else np.asarray(outputs)


def _rows_by_name(outputs: Mapping[Any, Any], count: int) -> Outputs:
    columns = {str(name): to_rows(values, count) for name, values in outputs.items()}
    if len(columns) == 1:
        return next(iter(columns.values()))
    for name, values in columns.items():
        if len(values) != count:
            raise ValueError(f"the model's output {name!r} has {len(values)} rows for {count} inputs")
    return [{name: values[row] for name, values in columns.items()} for row in range(count)]

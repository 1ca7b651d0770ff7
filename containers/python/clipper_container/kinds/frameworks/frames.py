"""DataFrames from inputs, for models over named columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from clipper_container.model import Inputs


def make_frame(inputs: Inputs, columns: Sequence[str]) -> Any:
    """Return a DataFrame with a row for each input, in the order of `columns`.

    Inputs of type strings hold a JSON object each, with a value for each column; numbers are the columns'
    values in order. Raises ValueError if an input is not that.
    """
    import pandas as pd

    if inputs.dtype != object:
        if inputs.shape[1] != len(columns):
            raise ValueError(
                f"the input has {inputs.shape[1]} numbers, and the model takes {len(columns)}: "
                f"{', '.join(columns)}"
            )
        return pd.DataFrame(inputs, columns=list(columns))
    return pd.DataFrame([_record(each, columns) for each in inputs], columns=list(columns))


def _record(text: Any, columns: Sequence[str]) -> dict[str, Any]:
    if not isinstance(text, str):
        raise ValueError(f"the input has {len(text)} numbers, and the model takes {len(columns)}")
    try:
        record = json.loads(text)
    except ValueError as exc:
        raise ValueError(f"the input is not JSON ({exc}): send an object with {', '.join(columns)}") from exc
    if not isinstance(record, dict):
        raise ValueError(f"the input is no JSON object: send one with {', '.join(columns)}")
    missing = [name for name in columns if name not in record]
    if missing:
        raise ValueError(f"the input lacks {', '.join(missing)}: null stands for a missing value")
    return record

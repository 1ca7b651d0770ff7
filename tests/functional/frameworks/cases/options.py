"""The options of a framework's deployer, tried on models in ONNX: a line for each thing that is seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import requests
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression

from clipper_nomad import ClipperConnection, ClipperException
from clipper_nomad.deployers import onnx
from clipper_nomad.managers.local import LocalContainerManager
from tests.support.local_clusters import CLUSTER_NAME

_X = np.arange(12.0).reshape(4, 3)
_LINE = to_onnx(LinearRegression().fit(_X, _X.sum(axis=1)), _X[:1].astype("f4"))


def main() -> None:
    """Deploy with one option after another, and print what is seen."""
    connection = ClipperConnection(LocalContainerManager(CLUSTER_NAME, state_dir=Path(sys.argv[1])))
    connection.connect()
    seen(
        "function",
        lambda: ask(connection, "function", lambda session, xs: [session.get_inputs()[0].type for _ in xs]),
    )
    seen("cuda", lambda: ask(connection, "cuda", None, device="cuda"))
    seen("device", lambda: ask(connection, "device", None, device="tpu"))
    seen("sample", lambda: ask(connection, "sample", None, sample_input=[1.0]))
    seen("cold", lambda: ask(connection, "cold", None, sample_input=[1.0], warm_up=False))
    seen("arguments", lambda: ask(connection, "arguments", lambda xs: xs))
    seen("unknown", lambda: ask(connection, "unknown", None, warm=True))
    seen("warm", lambda: ask(connection, "warm", None))


def ask(connection: ClipperConnection, name: str, func: Any, **options: Any) -> object:
    """Create an endpoint, and return the answer to one query."""
    onnx.create_endpoint(
        connection, name, "doubles", _LINE, slo_micros=20_000_000, func=func, timeout_s=60, **options
    )
    url = f"http://{connection.get_query_addr()}/{name}/predict"
    return requests.post(url, json={"input": [1.0, 2.0, 3.0]}, timeout=60).json()["output"]


def seen(what: str, look: Callable[[], object]) -> None:
    """Print what is seen, or the error."""
    try:
        found = look()
    except (ClipperException, TypeError) as error:
        found = f"{type(error).__name__}: {error}"
    print(f"{what}: {' '.join(str(found).split())}", flush=True)


if __name__ == "__main__":
    main()

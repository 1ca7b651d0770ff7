"""A regression of scikit-learn's that was converted to ONNX."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

from clipper_nomad.deployers import onnx
from tests.support.frameworks.case import Case, deployer, run

_COLUMNS = 6


def make_case() -> Case:
    """Return the case of two regressions, the second one from a file."""
    random = np.random.default_rng(7)
    x = random.normal(size=(600, _COLUMNS))
    y = np.sin(x).sum(axis=1)
    held_out = random.normal(size=(200, _COLUMNS))
    trained = MLPRegressor(hidden_layer_sizes=(8,), random_state=1, tol=0.1).fit(x, y)
    network = to_onnx(trained, x[:1].astype("f4"))
    line = to_onnx(LinearRegression().fit(x, y), x[:1].astype("f4"))
    broken = Path(tempfile.mkdtemp()) / "broken.onnx"
    broken.write_bytes(network.SerializeToString()[:200])
    file = broken.with_name("line.onnx")
    file.write_bytes(line.SerializeToString())
    return Case(
        name="onnx",
        input_type="doubles",
        rows=held_out.tolist(),
        answers=_run(network, held_out),
        others=_run(line, held_out),
        deploy=deployer(onnx.deploy_onnx_model, "doubles", network),
        deploy_other=deployer(onnx.deploy_onnx_model, "doubles", file),
        deploy_broken=deployer(onnx.deploy_onnx_model, "doubles", broken),
        wrong_input=[1.0, 2.0],
    )


def _run(model: Any, rows: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (output,) = session.run(None, {session.get_inputs()[0].name: rows.astype("f4")})
    return list(output.tolist())


if __name__ == "__main__":
    run(make_case)

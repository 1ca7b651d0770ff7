"""Deployers of users' own, from the parts that Clipper gave them, and those of frameworks that have ended."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipper_container.kinds.loading import load_model
from clipper_nomad.deployers import mxnet
from clipper_nomad.deployers.deployer_utils import save_python_function, serialize_object
from clipper_nomad.errors import ClipperException

_SCRIPT = """
import sys
from clipper_nomad.deployers.deployer_utils import serialize_object

class Point:
    def __init__(self, x):
        self.x = x

sys.stdout.buffer.write(serialize_object({"point": Point(3)}))
"""


def sums(xs: Any) -> Any:
    return np.sum(xs, axis=1)


def test_a_saved_function_is_a_model_whose_folder_takes_more_files() -> None:
    folder = Path(save_python_function("sums", sums))
    (folder / "weights.txt").write_text("1 2")
    assert load_model(folder).predict(np.ones((2, 3))) == pytest.approx([3, 3])
    assert (folder / "func.pkl").read_bytes()[:2] == b"\x80\x02"
    shutil.rmtree(folder)


def test_a_saved_function_may_take_a_model_before_its_inputs() -> None:
    folder = Path(save_python_function("scaled", lambda model, xs: [model * x for x in xs]))
    assert pickle.loads((folder / "func.pkl").read_bytes())(2, [1, 2]) == [2, 4]
    shutil.rmtree(folder)


def test_what_cannot_be_called_is_not_saved() -> None:
    with pytest.raises(ClipperException, match="not callable"):
        save_python_function("model", 3)  # type: ignore[arg-type]


def test_an_object_of_a_script_is_read_without_the_script() -> None:
    pickled = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, check=True).stdout
    assert pickle.loads(pickled)["point"].x == 3


def test_an_object_that_cannot_travel_is_named() -> None:
    with pytest.raises(ClipperException, match="lock"):
        serialize_object({"guard": threading.Lock()})


@pytest.mark.parametrize("call", [mxnet.deploy_mxnet_model, mxnet.create_endpoint])
def test_mxnet_is_refused_with_the_way_out(call: Any) -> None:
    with pytest.raises(ClipperException, match=r"ended in 2023.*Export the model to ONNX"):
        call(None, "digits", "integers", len)

"""A closure packed by one process serves in another, which has none of the first one's files."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from clipper_nomad.deployers.packing.closure import packed_closure
from clipper_nomad.errors import ClipperException

SCRIPT = """
import functools
import shutil
import sys

import numpy as np

from beside import double
from part.scale import Scaler
from clipper_nomad.deployers.packing.closure import packed_closure

OFFSET = 1

class Model:
    scaler = Scaler()

    def predict(self, xs):
        from late import negate
        return [self.scaler(double(negate(np.sum(x)))) + OFFSET for x in xs]

def flat(factor, xs):
    return [factor * double(x[0]) for x in xs]

FUNCTIONS = {
    "bound": Model().predict,
    "partial": functools.partial(flat, 3),
    "lambda": lambda xs: flat(1, xs),
}
with packed_closure(FUNCTIONS[sys.argv[1]]) as packed:
    shutil.copytree(packed.folder, sys.argv[2])
assert not packed.folder.exists()
"""
FILES = {
    "beside.py": "def double(x):\n    return 2 * x\n",
    "part/__init__.py": "",
    "part/scale.py": "from .base import Base\n\nclass Scaler(Base):\n    factor = 10\n",
    "part/base.py": "class Base:\n    def __call__(self, x):\n        return self.factor * x\n",
    "late.py": "def negate(x):\n    return -x\n",
    "script.py": SCRIPT,
}
SERVE = """
import json, sys
from pathlib import Path
import numpy as np
from clipper_container.kinds.loading import load_model
outputs = load_model(Path(sys.argv[1])).predict(np.array([[1.0, 2.0], [3.0, 4.0]]))
print(json.dumps([float(output) for output in outputs]))
"""


@pytest.mark.parametrize(
    ("function", "outputs"), [("bound", [-59, -139]), ("partial", [6, 18]), ("lambda", [2, 6])]
)
def test_a_packed_function_serves_elsewhere(tmp_path: Path, function: str, outputs: list[float]) -> None:
    for name, source in FILES.items():
        path = tmp_path / "user" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    packed = tmp_path / "packed"
    script = tmp_path / "user" / "script.py"
    subprocess.run([sys.executable, script, function, packed], check=True, timeout=60)
    served = subprocess.run(
        [sys.executable, "-c", SERVE, packed], check=True, timeout=60, stdout=subprocess.PIPE, cwd=tmp_path
    )
    assert json.loads(served.stdout) == outputs


def test_the_folder_is_gone_when_building_failed() -> None:
    with pytest.raises(RuntimeError), packed_closure(len) as packed:
        assert packed.folder.is_dir()
        raise RuntimeError
    assert not packed.folder.exists()


def test_what_cannot_be_pickled_is_told() -> None:
    with pytest.raises(ClipperException, match="cannot be pickled"), packed_closure(threading.Lock().acquire):
        raise AssertionError

"""Names of a script or notebook, which a replica has where pickle looks for them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PACK = """
import shutil
import sys
from clipper_nomad.deployers.packing.closure import packed_closure
with packed_closure(predict) as packed:
    shutil.copytree(packed.folder, sys.argv[1])
"""
#: A replica's process, as far as a model sees it.
SERVE = """
import json, os, sys
from pathlib import Path
from clipper_container.kinds.loading import load_model
from clipper_container.kinds.script import become_script

def main():
    become_script()
    model = load_model(Path(os.environ["CLIPPER_MODEL_PATH"]))
    print(json.dumps(model.predict([1, 2])))

if __name__ == "__main__":
    main()
"""
CACHE = """
import functools

@functools.lru_cache
def get_model():
    return {"factor": 10}

@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

class Model:
    @functools.lru_cache(maxsize=3)
    def factor(self):
        return 2

def predict(xs):
    assert get_model is get_model.__wrapped__.__globals__["get_model"]
    assert Model.factor.cache_info().maxsize == 3
    return [x * get_model()["factor"] + fibonacci(10) * Model().factor() for x in xs]
"""
DISPATCH = """
import functools

@functools.singledispatch
def flatten(x):
    return [x]

@flatten.register
def _(x: list):
    return [each for item in x for each in flatten(item)]

class Model:
    @functools.singledispatchmethod
    def name(self, x):
        return "other"

    @name.register
    def _(self, x: int):
        return "int"

    @functools.cached_property
    def factor(self):
        return 10

    def predict(self, xs):
        return [sum(flatten([x, [self.factor]])) for x in xs] + [self.name(1), self.name("")]

predict = Model().predict
"""
DECORATED = """
import functools
import typing

UserId = typing.NewType("UserId", int)
P = typing.ParamSpec("P")

class _Missing:
    def __reduce__(self):
        return "MISSING"

MISSING = _Missing()

def counted(func: typing.Callable[P, list]) -> typing.Callable[P, list]:
    @functools.wraps(func)
    def wrapper(*arguments):
        return func(*arguments)
    return wrapper

@counted
def scale(factor, xs, missing=MISSING):
    assert missing is MISSING
    return [UserId(factor * x) for x in xs]

predict = functools.partial(scale, 3)
"""
IMPORTED = """
import enum
import re
from collections import namedtuple
from math import sqrt
from operator import itemgetter

import numpy as np
from numpy import add, array, float64

Point = namedtuple("Point", "x y")

class Kind(enum.Enum):
    SMALL = 1

WEIGHTS = array([3.0])
FIRST = itemgetter(0)
DIGITS = re.compile("[0-9]")
ZERO = float64(0)
KIND = Kind.SMALL
ORIGIN = Point(0, 0)

def predict(xs):
    assert KIND is Kind.SMALL and ORIGIN == Point(0, 0) and DIGITS.match("1")
    return [float(add(FIRST(WEIGHTS), sqrt(x * x)) + ZERO) for x in xs]
"""
POOL = """
import multiprocessing

FACTOR = 10

class Result:
    def __init__(self, value):
        self.value = value

def work(x):
    return Result(x * FACTOR)

def predict(xs):
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        return [each.value for each in pool.map(work, xs)]
"""


def serve_packed(tmp_path: Path, script: str) -> object:
    """Pack the `predict` of a script in one process, and return what another, as a replica, answers."""
    (tmp_path / "script.py").write_text(script + PACK)
    model = tmp_path / "model"
    run(tmp_path / "script.py", str(model))
    (tmp_path / "script.py").unlink()
    (tmp_path / "serve.py").write_text(SERVE)
    return json.loads(run(tmp_path / "serve.py", CLIPPER_MODEL_PATH=str(model)))


def run(script: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("script", "outputs"),
    [
        pytest.param(CACHE, [120, 130], id="lru_cache"),
        pytest.param(DISPATCH, [11, 12, "int", "other"], id="singledispatch and cached_property"),
        pytest.param(DECORATED, [3, 6], id="wraps, partial, NewType and a singleton"),
        pytest.param(IMPORTED, [4, 5], id="names of packages, and values"),
    ],
)
def test_what_functools_makes_of_a_scripts_functions_travels(
    tmp_path: Path, script: str, outputs: list[object]
) -> None:
    assert serve_packed(tmp_path, script) == outputs


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_model_runs_its_own_functions_in_other_processes(tmp_path: Path, method: str) -> None:
    assert serve_packed(tmp_path, POOL.replace("{method!r}", repr(method))) == [10, 20]


def test_pickle_finds_the_scripts_names_and_none_of_the_programs(tmp_path: Path) -> None:
    script = """
import pickle, sys

class Model:
    def predict(self, xs):
        main = sys.modules["__main__"]
        assert pickle.loads(pickle.dumps(self)).__class__ is Model is main.Model
        return sorted(name for name in vars(main) if not name.startswith("__"))

predict = Model().predict
"""
    assert serve_packed(tmp_path, script) == ["Model", "pickle", "sys"]


@pytest.mark.parametrize("script", [CACHE, DISPATCH, DECORATED])
def test_the_same_script_gives_the_same_bytes_in_another_process(tmp_path: Path, script: str) -> None:
    (tmp_path / "script.py").write_text(script + PACK)
    for name in ("one", "two"):
        run(tmp_path / "script.py", str(tmp_path / name))
    assert (tmp_path / "one" / "func.pkl").read_bytes() == (tmp_path / "two" / "func.pkl").read_bytes()


def test_a_reader_of_the_first_pickle_alone_gets_the_function(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(CACHE + PACK)
    run(tmp_path / "script.py", str(tmp_path / "model"))
    (tmp_path / "read.py").write_text(
        "import sys, cloudpickle\n"
        "sys.modules['clipper_container'] = None\n"
        "with open(sys.argv[1], 'rb') as file:\n"
        "    print(cloudpickle.load(file)([1]))\n"
    )
    assert run(tmp_path / "read.py", str(tmp_path / "model" / "func.pkl")) == "[120]\n"

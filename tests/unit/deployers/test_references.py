"""The references of a function's pickle, and the reasons why one cannot be pickled."""

from __future__ import annotations

import functools
import json
import operator
import threading
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clipper_nomad.deployers.references import find_references
from clipper_nomad.errors import ClipperException


def define(source: str, **names: object) -> Callable[[Any], Any]:
    """Return the `predict` of a script with this source and these names in it."""
    script = {"__name__": "__main__", **names}
    exec(source, script)
    predict = script["predict"]
    assert callable(predict)
    return predict


class Model:
    """A model as users write them, in a module."""

    def __init__(self, held: object = None) -> None:
        self.held = held

    def __call__(self, xs: Any) -> Any:
        return xs

    def predict(self, xs: Any) -> Any:
        return xs


@pytest.mark.parametrize(
    ("func", "module"),
    [
        pytest.param(define("def predict(xs): return json.dumps(xs)", json=json), "json", id="global module"),
        pytest.param(define("def predict(xs): return d(xs)", d=json.dumps), "json", id="global function"),
        pytest.param(define("def predict(xs):\n import wave\n"), "wave", id="import inside"),
        pytest.param(define("class predict:\n  def f(self):\n    import wave\n"), "wave", id="class"),
        pytest.param(define("def predict(xs): return R(xs)", R=wave.Wave_read), "wave", id="global class"),
        pytest.param(define("predict = lambda xs: json.dumps(xs)", json=json), "json", id="lambda"),
        pytest.param(json.dumps, "json", id="function of a module"),
        pytest.param(functools.partial(define("def predict(a, xs): pass"), Model()), __name__, id="partial"),
        pytest.param(Model().predict, __name__, id="bound method"),
        pytest.param(Model(), __name__, id="callable instance"),
        pytest.param(Model(json.dumps).predict, "json", id="attribute"),
        pytest.param(sum, "builtins", id="builtin"),
        pytest.param(operator.itemgetter(0), "operator", id="C instance"),
    ],
)
def test_modules_are_found(func: Callable[[Any], Any], module: str) -> None:
    assert module in find_references(func)


def test_an_unused_name_of_the_script_is_not_referred_to() -> None:
    assert "wave" not in find_references(define("def predict(xs): return xs", wave=wave))


def closure_over(value: object) -> Callable[[Any], Any]:
    return lambda xs: (xs, value)


@pytest.mark.parametrize(
    ("func", "name"),
    [
        pytest.param(define("def predict(xs): return lock", lock=threading.Lock()), "`lock`", id="global"),
        pytest.param(closure_over(threading.Lock()), "`value`", id="closure"),
        pytest.param(functools.partial(print, file=threading.Lock()), "`file`", id="keyword"),
        pytest.param(functools.partial(print, threading.Lock()), "`argument 0`", id="argument"),
        pytest.param(Model(threading.Lock()).predict, r"`self\.held`", id="bound method"),
        pytest.param(Model(threading.Lock()), r"`self\.held`", id="callable instance"),
    ],
)
def test_what_cannot_be_pickled_is_named(func: Callable[[Any], Any], name: str) -> None:
    with pytest.raises(ClipperException, match=rf"refers to {name}, a _thread\.lock: cannot pickle"):
        find_references(func)


def test_the_function_itself_may_be_what_cannot_be_pickled() -> None:
    generator = (x for x in [1])
    with pytest.raises(ClipperException, match="cannot be pickled: TypeError"):
        find_references(generator.send)


@pytest.mark.parametrize("func", [None, "predict", [1]])
def test_a_model_is_callable(func: Any) -> None:
    with pytest.raises(ClipperException, match="not callable"):
        find_references(func)


def test_a_large_array_may_travel() -> None:
    assert "numpy" in {name.partition(".")[0] for name in find_references(closure_over(np.zeros(100_000)))}

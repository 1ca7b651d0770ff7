"""The references of a function's pickle, and the reasons why one cannot be pickled."""

from __future__ import annotations

import functools
import json
import operator
import sqlite3
import threading
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from clipper_container.kinds.pickling import copy_function
from clipper_nomad.deployers.packing.references import find_references
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


class Shell:
    """The notebook's shell, by the name of its module."""

    def __init__(self) -> None:
        self.history = sqlite3.connect(":memory:")

    def get_ipython(self) -> Shell:
        return self


Shell.__module__ = "IPython.core.interactiveshell"


class Service:
    """An object of the user's own, which holds what cannot travel."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")

    def ask(self, xs: Any) -> Any:
        return xs


NESTED = """
def helper(xs):
    return [get_ipython() for _ in xs]

def predict(xs):
    def inner():
        return helper(xs)
    return inner()
"""
CACHED = """
import functools

@functools.lru_cache
def get_model():
    return service

def predict(xs):
    return get_model()
"""
ATTRIBUTE = """
class Model:
    guard = lock

    def predict(self, xs):
        return xs

predict = Model().predict
"""


@pytest.mark.parametrize(
    ("func", "said"),
    [
        pytest.param(
            define("def predict(xs): return get_ipython().ask(xs)", get_ipython=Shell().get_ipython),
            "refers to `get_ipython`, the notebook shell: .*leave magics",
            id="shell",
        ),
        pytest.param(
            define(NESTED, get_ipython=Shell().get_ipython),
            "refers to `helper`, which refers to `get_ipython`, the notebook shell: ",
            id="shell in a helper",
        ),
        pytest.param(
            define("def predict(xs): return service.ask(xs)", service=Service()),
            r"refers to `service\.connection`, a sqlite3\.Connection: .*Open it inside of the function",
            id="global object",
        ),
        pytest.param(
            Service().ask, r"refers to `self\.connection`, a sqlite3\.Connection: ", id="bound method"
        ),
        pytest.param(
            define(CACHED, service=Service()), r"which refers to `service\.connection`, a sqlite3", id="cache"
        ),
        pytest.param(
            define(ATTRIBUTE, lock=threading.RLock()),
            r"refers to `Model\.guard`, a _thread\.RLock: .*Create it when it is first used",
            id="attribute of a class",
        ),
        pytest.param(
            define("def predict(xs): return config['db']", config={"db": sqlite3.connect(":memory:")}),
            r"refers to `config\['db'\]`, a sqlite3\.Connection: ",
            id="item",
        ),
        pytest.param(
            define("def predict(xs): return next(rows)", rows=(x for x in [1])),
            "refers to `rows`, a builtins.generator: .*Make a list of it",
            id="generator",
        ),
        pytest.param(
            define("def predict(xs, guard=lock): return xs", lock=threading.Lock()), "`guard`", id="default"
        ),
    ],
)
def test_what_cannot_be_pickled_has_the_name_that_its_author_gave_it(
    func: Callable[[Any], Any], said: str
) -> None:
    with pytest.raises(ClipperException, match=said):
        find_references(func)


CACHED_PROPERTY = """
import functools

class Model:
    @functools.cached_property
    def weights(self):
        return [1, 2]

    def predict(self, xs):
        return self.weights

predict = Model().predict
"""


def test_a_cached_property_travels() -> None:
    assert copy_function(define(CACHED_PROPERTY))([0]) == [1, 2]


def test_the_function_itself_may_be_what_cannot_be_pickled() -> None:
    generator = (x for x in [1])
    with pytest.raises(ClipperException, match="cannot be pickled: TypeError"):
        find_references(generator.send)


def test_a_large_array_may_travel() -> None:
    assert "numpy" in {name.partition(".")[0] for name in find_references(closure_over(np.zeros(100_000)))}

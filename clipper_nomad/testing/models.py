"""Model functions that the contract suite deploys.

A factory returns each, so that it travels by value into a container that cannot import this module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Model = Callable[[Any], list[str]]


def row_sums() -> Model:
    """Return a model that answers with the sum of each input's numbers."""

    def predict(inputs: Any) -> list[str]:
        return list(map(str, inputs.sum(axis=1).tolist()))

    return predict


def constant(output: str) -> Model:
    """Return a model that answers every input with the same output."""

    def predict(inputs: Any) -> list[str]:
        return [output for _ in inputs]

    return predict


def variable(name: str) -> Model:
    """Return a model that answers every input with a variable of its environment."""

    def predict(inputs: Any) -> list[str]:
        import os

        return [os.environ.get(name, "") for _ in inputs]

    return predict


def failing_at_work() -> Model:
    """Return a model that is loaded and fails on every input: "the tokenizer is missing"."""

    def predict(_inputs: Any) -> list[str]:
        raise RuntimeError("the tokenizer is missing")

    return predict


def loading_for_ever() -> Model:
    """Return a model whose function is never loaded."""

    class Endless:
        def __reduce__(self) -> Any:
            return exec, ("import time\nwhile True: time.sleep(1)",)

        def __call__(self, _inputs: Any) -> list[str]:
            return []

    return Endless()


def crashing_at_load() -> Model:
    """Return a model whose process dies of a fault in compiled code when the function is loaded."""

    class Crashing:
        def __reduce__(self) -> Any:
            return exec, ("import ctypes; ctypes.string_at(0)",)

        def __call__(self, _inputs: Any) -> list[str]:
            return []

    return Crashing()


def failing_at_load() -> Model:
    """Return a model whose function cannot be loaded: "weights are missing"."""

    class Unloadable:
        def __reduce__(self) -> Any:
            return exec, ("raise RuntimeError('weights are missing')",)

        def __call__(self, _inputs: Any) -> list[str]:
            return []

    return Unloadable()

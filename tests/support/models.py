"""Model functions that tests and benchmarks deploy.

Each is returned by a factory, so that it travels by value into a container that cannot import this module.
"""

from __future__ import annotations

from typing import Any

from clipper_nomad.testing.models import Model, constant, row_sums

__all__ = ["Model", "biased_sums", "constant", "hanging_sums", "row_sums", "sleeping_sums"]


def biased_sums(bias: float) -> Model:
    """Return the sums as `row_sums` does, each with `bias` added."""

    def predict(inputs: Any) -> list[str]:
        return list(map(str, (inputs.sum(axis=1) + bias).tolist()))

    return predict


def sleeping_sums(per_batch_s: float = 0.0, per_input_s: float = 0.0) -> Model:
    """Return the sums as `row_sums` does, after a sleep for the batch and for each input."""

    def predict(inputs: Any) -> list[str]:
        import time

        time.sleep(per_batch_s + per_input_s * len(inputs))
        return list(map(str, inputs.sum(axis=1).tolist()))

    return predict


def hanging_sums() -> Model:
    """Return the sums, but never answer if HANGS is set in the environment."""

    def predict(inputs: Any) -> list[str]:
        import os
        import threading

        if "HANGS" in os.environ:
            threading.Event().wait()
        return list(map(str, inputs.sum(axis=1).tolist()))

    return predict

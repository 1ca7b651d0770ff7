"""The interface that a kind of model implements, and how a model directory is turned into one.

A model directory holds a manifest whose `kind` says which class loads the rest. Another framework is one
class and one line in KINDS. Nothing here knows the network or the wire format.
"""

from __future__ import annotations

import abc
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

MANIFEST_NAME = "closure.json"

#: What a model receives: a matrix (n, d), or n inputs one by one.
Inputs = Union[NDArray[Any], list[NDArray[Any]], list[str]]
#: What a model returns: n outputs; an array has its first dimension of n.
Outputs = Union[Sequence[object], NDArray[np.generic]]

KINDS = {"python-closure": "clipper_container.closure:ClosureModel"}


class ModelLoadError(Exception):
    """A model directory cannot be turned into a model."""


class Model(abc.ABC):
    """A loaded model. It is called by one thread at a time, always the same one."""

    @classmethod
    @abc.abstractmethod
    def load(cls, directory: Path) -> Model:
        """Return the model in `directory`, or raise ModelLoadError."""

    @abc.abstractmethod
    def predict(self, inputs: Inputs) -> Outputs:
        """Return one output per input, in order.

        Inputs of one length come as a writable matrix (n, d) of the input type's dtype, others as n
        one-dimensional arrays, strings as n str and bytes as n int8 arrays.
        """


def load_model(directory: Path) -> Model:
    """Load the model directory `directory` with the class for its kind.

    Raises ModelLoadError when the directory is no model directory, and whatever the model's own code raises.
    """
    kind = read_manifest(directory)["kind"]
    if kind not in KINDS:
        raise ModelLoadError(
            f"{directory} holds a model of kind {kind!r}: this runtime loads {', '.join(sorted(KINDS))}"
        )
    module_name, _, class_name = KINDS[kind].partition(":")
    model_class: type[Model] = getattr(importlib.import_module(module_name), class_name)
    return model_class.load(directory)


def read_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a model directory; raise ModelLoadError where there is none that can be read."""
    path = directory / MANIFEST_NAME
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ModelLoadError(
            f"{directory} is no model directory: cannot read {MANIFEST_NAME} ({exc.strerror}); "
            "set CLIPPER_MODEL_PATH to the folder that holds it"
        ) from exc
    except ValueError as exc:
        raise ModelLoadError(f"{path} is not JSON: {exc}") from exc
    if not isinstance(manifest, dict) or not isinstance(manifest.get("kind"), str):
        raise ModelLoadError(f"{path} does not say the model's kind")
    return manifest

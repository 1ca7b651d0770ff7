"""The contract between the kinds of models, which implement it, and the runtime, which calls it.

A kind is a subclass of `Model`. Its `load` reads the native form of a model from a folder and returns a model
that is ready to answer: a kind that answers its first batch slowly warms up there. Its `predict` converts the
inputs to the form that its framework takes, and the framework's outputs to a sequence or an array.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
from numpy.typing import NDArray

#: The inputs of a batch: a matrix (n, d), or an object array (n,) of arrays or of str.
Inputs = NDArray[Any]
#: The n outputs of a batch; the first dimension of an array is n.
Outputs = Union[Sequence[object], NDArray[np.generic]]


class ModelLoadError(Exception):
    """A model folder cannot be turned into a model."""


class Model(abc.ABC):
    """A loaded model. One thread at a time calls it, always the same one.

    Before the replica is ready, the model answers the sample input, or zeros of `input_length`, in batches of
    `warm_up_sizes`.
    """

    warm_up_sizes: tuple[int, ...] = (1,)

    @property
    def input_length(self) -> Optional[int]:
        """Return how many numbers an input has, if the model itself declares it and may be asked early."""
        return None

    @classmethod
    @abc.abstractmethod
    def load(cls, directory: Path, manifest: Mapping[str, Any]) -> Model:
        """Return the model in `directory`, whose manifest has been read, or raise ModelLoadError.

        Import the framework here and not in the module: only replicas with such a model have it installed.
        """

    @abc.abstractmethod
    def predict(self, inputs: Inputs) -> Outputs:
        """Return one output per input, in order.

        Inputs of one length come as a writable matrix (n, d) of the input type's dtype (bytes: int8), others
        as an object array (n,) of one-dimensional arrays, strings as an object array (n,) of str.
        """

"""Five models of handwritten digits, of different quality; some need the lower half of a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clipper_nomad.errors import ClipperException

Pictures: TypeAlias = npt.NDArray[np.float64]
Labels: TypeAlias = npt.NDArray[np.int64]
#: Labels pictures, one on each row.
Predict: TypeAlias = Callable[[Pictures], Labels]

_SEED = 2017
_TRAINING_PICTURES = 400
#: A picture is 8 x 8 pixels, row by row, each from 0 to BRIGHTEST.
_SIDE = 8
BRIGHTEST = 16.0
UPPER_HALF = list(range(_SIDE * _SIDE // 2))
LOWER_HALF = list(range(_SIDE * _SIDE // 2, _SIDE * _SIDE))
_TOP = [row * _SIDE + column for row in range(3) for column in range(1, 7)]
#: Queries are noisier than the training pictures: pixels that hardly ever differ must not decide.
_SMOOTHING = 0.05


@dataclass(frozen=True)
class Trained:
    """The models by name, and pictures with their labels that none of them was trained on."""

    models: Mapping[str, Predict]
    pictures: Pictures
    labels: Labels


def train() -> Trained:
    """Train the models; raise ClipperException if scikit-learn is missing."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ClipperException(
            f"The demo needs scikit-learn ({error}): install it with `pip install clipper-nomad[demo]`."
        ) from error
    pictures, labels = load_digits(return_X_y=True)
    pictures, held_out, labels, held_out_labels = train_test_split(
        pictures, labels, train_size=_TRAINING_PICTURES, random_state=_SEED, stratify=labels
    )
    models = {
        name: _fitted(classifier, pixels, pictures, labels)
        for name, (pixels, classifier) in _untrained().items()
    }
    return Trained(models, held_out, held_out_labels)


def _untrained() -> dict[str, tuple[list[int], Any]]:
    """Return classifiers and the pixels that each looks at: the first three look at the lower half."""
    from sklearn.naive_bayes import GaussianNB
    from sklearn.svm import SVC

    return {
        "svm-whole": (UPPER_HALF + LOWER_HALF, SVC()),
        "bayes-whole": (UPPER_HALF + LOWER_HALF, GaussianNB(var_smoothing=_SMOOTHING)),
        "svm-lower": (LOWER_HALF, SVC()),
        "bayes-upper": (UPPER_HALF, GaussianNB(var_smoothing=_SMOOTHING)),
        "bayes-top": (_TOP, GaussianNB(var_smoothing=_SMOOTHING)),
    }


def _fitted(classifier: Any, pixels: list[int], pictures: Pictures, labels: Labels) -> Predict:
    """Train a classifier on these pixels alone."""
    classifier.fit(pictures[:, pixels], labels)

    def predict(pictures: Pictures) -> Labels:
        predicted: Labels = classifier.predict(pictures[:, pixels])
        return predicted

    return predict

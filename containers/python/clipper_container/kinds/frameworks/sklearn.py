"""The kind `sklearn`: an estimator of scikit-learn's, by skops where it can hold it, else by pickle.

model/model.skops     the estimator; without it, the estimator is in func/
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipper_container.kinds.frameworks.base import FrameworkModel
from clipper_container.model import ModelLoadError

KIND = "sklearn"
MODEL_NAME = "model.skops"


class SklearnModel(FrameworkModel):
    """An estimator or a pipeline; a function of the user's gets it.

    The manifest's `trusted` are the types that skops may make, beside those that it knows; they were read
    from the estimator when it was saved.
    """

    def open(self, folder: Path, fields: Mapping[str, Any], pickled: Any) -> None:
        """Load the estimator, and what it says of its inputs."""
        path = folder / MODEL_NAME
        if path.exists():
            import skops.io

            self._estimator = skops.io.load(path, trusted=list(fields.get("trusted", ())))
        elif pickled is None:
            raise ModelLoadError(f"{folder} is incomplete: {MODEL_NAME} is missing; save the model again")
        else:
            self._estimator = pickled
        names = getattr(self._estimator, "feature_names_in_", None)
        self.columns = None if names is None else tuple(map(str, names))
        length = getattr(self._estimator, "n_features_in_", None)
        self.input_shape = None if length is None else (int(length),)

    def arguments(self) -> tuple[Any, ...]:
        """Return the estimator."""
        return (self._estimator,)

    def infer(self, batch: Any) -> Any:
        """Return the predictions."""
        return self._estimator.predict(batch)

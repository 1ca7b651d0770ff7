"""The kind `lightgbm`: a Booster of LightGBM's in its text form.

model/model.txt     the Booster
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clipper_container.kinds.frameworks.base import FrameworkModel
from clipper_container.threads import count_own_threads

KIND = "lightgbm"
MODEL_NAME = "model.txt"


class LightGBMModel(FrameworkModel):
    """A Booster; a function of the user's gets it.

    Of a classifier the manifest has the `classes`, which its answers are then; else they are the Booster's.
    """

    def open(self, folder: Path, fields: Mapping[str, Any], pickled: Any) -> None:
        """Load the Booster; threads are an argument of each prediction."""
        del pickled
        import lightgbm

        self._booster = lightgbm.Booster(model_file=str(folder / MODEL_NAME))
        self._threads = count_own_threads()
        classes = fields.get("classes")
        self._classes = None if classes is None else np.asarray(classes)
        self.columns = tuple(fields["columns"]) if fields.get("columns") else None
        self.input_shape = (self._booster.num_feature(),)

    def arguments(self) -> tuple[Any, ...]:
        """Return the Booster."""
        return (self._booster,)

    def infer(self, batch: Any) -> Any:
        """Return the predictions, or the labels of the likeliest classes."""
        scores = self._booster.predict(batch, num_threads=self._threads)
        if self._classes is None:
            return scores
        chosen = scores.argmax(axis=1) if scores.ndim > 1 else (scores > 0.5).astype(int)
        return self._classes[chosen]

"""The kind `xgboost`: a model of XGBoost in UBJSON.

model/model.ubj     the model; a wrapper's labels are among its attributes
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clipper_container.kinds.frameworks.base import FrameworkModel
from clipper_container.kinds.frameworks.device import choose_device
from clipper_container.threads import count_own_threads

KIND = "xgboost"
MODEL_NAME = "model.ubj"


class XGBoostModel(FrameworkModel):
    """A Booster, or the wrapper that it was trained by; a function of the user's gets what was deployed.

    The manifest's `wrapper` names the wrapper's class; without one, answers are the Booster's.
    """

    def open(self, folder: Path, fields: Mapping[str, Any], pickled: Any) -> None:
        """Load the model, with this replica's threads: those of the training machine come with it."""
        del pickled
        import xgboost

        device = choose_device(fields, _has_cuda, "XGBoost")
        wrapper = fields.get("wrapper")
        self._model = getattr(xgboost, wrapper)() if wrapper else xgboost.Booster()
        self._model.load_model(folder / MODEL_NAME)
        own = {"nthread": count_own_threads(), "device": device}
        if wrapper:
            self._model.set_params(n_jobs=own["nthread"], device=device)
        booster = self._model.get_booster() if wrapper else self._model
        booster.set_param(own)
        self._predict = self._model.predict if wrapper else booster.inplace_predict
        names = booster.feature_names
        self.columns = tuple(names) if names else None
        self.input_dtype = np.dtype("float32")
        self.input_shape = (booster.num_features(),)

    def arguments(self) -> tuple[Any, ...]:
        """Return the Booster or the wrapper."""
        return (self._model,)

    def infer(self, batch: Any) -> Any:
        """Return the predictions."""
        return self._predict(batch)


def _has_cuda() -> bool:
    import xgboost

    return bool(xgboost.build_info().get("USE_CUDA")) and Path("/dev/nvidia0").exists()

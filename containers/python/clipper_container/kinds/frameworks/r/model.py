"""The kind `r` itself.

model/model.rds     what clipperr::save_model() saved: the function, its globals, the packages that it needs
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipper_container.kinds.frameworks.base import FrameworkModel
from clipper_container.kinds.frameworks.r.child import RProcess, RProcessEnded
from clipper_container.kinds.frameworks.r.frames import RError
from clipper_container.model import Inputs, ModelLoadError, Outputs

_LOG = logging.getLogger("clipper.container")
KIND = "r"
MODEL_NAME = "model.rds"


class RModel(FrameworkModel):
    """A function of R's in a process of its own, which is started anew once it ends."""

    def open(self, folder: Path, fields: Mapping[str, Any], pickled: Any) -> None:
        """Start R, and wait until the model is loaded and has answered its own sample input."""
        del fields, pickled
        self._path = folder / MODEL_NAME
        if not self._path.is_file():
            raise ModelLoadError(f"{folder} has no {MODEL_NAME}: save the model again")
        self._process = RProcess(self._path, warm_up=self._warms_up)
        try:
            self._process.wait_ready()
        except (RError, RProcessEnded) as exc:
            self._process.close()
            raise ModelLoadError(f"R cannot load the model: {exc}") from exc

    def predict(self, inputs: Inputs) -> Outputs:
        """Return R's outputs."""
        return self.infer(inputs)

    def infer(self, batch: Any) -> Outputs:
        """Return R's outputs. Raises RError with R's message, RProcessEnded if R ends meanwhile."""
        if self._process.has_ended:
            self._start_again(self._process.explain_end())
        try:
            self._process.wait_ready()
            return self._process.ask(batch)
        except RProcessEnded as exc:
            self._start_again(str(exc))
            raise

    @property
    def pid(self) -> int:
        """Return the id of the R process."""
        return self._process.pid

    def close(self) -> None:
        """End R."""
        self._process.close()

    def _start_again(self, reason: str) -> None:
        """Start another R process; the next batch waits for it."""
        _LOG.warning("%s: starting it again", reason)
        self._process.close()
        self._process = RProcess(self._path, warm_up=False)

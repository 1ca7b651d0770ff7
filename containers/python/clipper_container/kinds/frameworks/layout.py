"""The layout of the folder of a framework's model: written by the admin library, read by the runtime.

model.json     {"kind": "onnx", "format": 1, "warm_up": true, "model": {"device": "auto", …}}
model/         the native form, as the framework saves it
func/          what travels by pickle, if anything does: the user's function, a model's class (closure.py)
"""

from __future__ import annotations

FORMAT = 1
MODEL_FOLDER = "model"
PICKLED_FOLDER = "func"

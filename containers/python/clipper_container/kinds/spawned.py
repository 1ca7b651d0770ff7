"""The `__main__` of a process that a replica's model starts by multiprocessing without forking.

multiprocessing runs this file under a name of its own, and what is defined here becomes `__main__`.
"""

from __future__ import annotations

import os
from pathlib import Path

from clipper_container.kinds.closure import load_names
from clipper_container.kinds.script import MP_MAIN

if __name__ == MP_MAIN:
    globals().update(load_names(Path(os.environ.get("CLIPPER_MODEL_PATH") or "/model")))

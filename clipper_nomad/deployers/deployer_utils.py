"""The parts of Clipper's deployers that deployers of users' own are made of, with Clipper's names."""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clipper_container.kinds.closure import CLIPPERS_PROTOCOL
from clipper_container.kinds.pickling import dump_function
from clipper_nomad.deployers.packing.callables import require_callable
from clipper_nomad.deployers.packing.closure import pack
from clipper_nomad.deployers.packing.references import find_references

logger = logging.getLogger("clipper")


def save_python_function(name: str, func: Callable[..., Any]) -> str:
    """Return the path of a new folder with `func` and the user's modules that it needs.

    The folder is the caller's: put a model's files beside them, deploy it with build_and_deploy_model(), and
    remove it. With the default base image it is a model of its own, if `func` takes one argument; other
    images read `func.pkl` and `modules/`, as Clipper's do. The packages that the function needs are logged.

    Raises ClipperException if `func` cannot be called, or cannot be pickled.
    """
    require_callable(func)
    folder = tempfile.mkdtemp(suffix="clipper")
    packages = pack(func, Path(folder), protocol=CLIPPERS_PROTOCOL)
    logger.info("Saved the function of %s to %s; it needs %s", name, folder, list(packages or ()))
    return folder


def serialize_object(obj: Any) -> bytes:
    """Return the pickle of an object, which pickle.loads() reads; objects of the script travel by value.

    Raises ClipperException, which names the part at fault, if it cannot be pickled.
    """
    find_references(obj)
    file = io.BytesIO()
    dump_function(obj, file, CLIPPERS_PROTOCOL)
    return file.getvalue()

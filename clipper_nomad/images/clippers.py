"""Clipper's own images of Python functions, which are known by their names, and the Python in them.

`clipper/python36-closure-container:0.4.1` has Python 3.6, and `clipper/python-closure-container` Python 2.7.
They read `func.pkl` and `modules/` of a model's folder. An image of one's own that is named alike, such as
`registry/python311-closure-container`, counts as well.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from clipper_container.kinds.manifest import MANIFEST_NAME
from clipper_nomad.errors import BuildError
from clipper_nomad.types import BuildSpec

_CLIPPERS = re.compile(r"(?:^|/)python(?:(\d)(\d+))?-closure-container(?:[:@]|$)")
_OLDEST = "2.7"


def find_clippers_python(image: str) -> str | None:
    """Return the minor version of Python in an image of Clipper's; None for any other image."""
    found = _CLIPPERS.search(image)
    if found is None:
        return None
    return f"{found[1]}.{found[2]}" if found[1] else _OLDEST


def find_saved_by(folder: Path) -> str | None:
    """Return the minor version of Python that saved the function in a model's folder; None if unknown."""
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    python = manifest.get("python") if isinstance(manifest, dict) else None
    return python if isinstance(python, str) else None


def require_same_python(spec: BuildSpec, image_python: str | None) -> None:
    """Raise BuildError if the base image's Python cannot load the function in the model's folder.

    A version of None is unknown: then the replica finds out.
    """
    saved_by = find_saved_by(spec.model_data_path)
    if saved_by is None or image_python is None or saved_by == image_python:
        return
    raise BuildError(
        f"Could not build model version {spec.model}: its base image {spec.base_image} has Python "
        f"{image_python}, and Python {saved_by} pickled the function, which no other minor version can load. "
        f"Use base_image='default', whose runtime has Python {saved_by}, or an image with this version."
    )

"""The manifest of a model folder: `model.json`, a JSON object whose `kind` decides how the rest is loaded.

    {"kind": "python-closure", "format": 1, …}

Its other keys belong to the kind. Folders that were saved before there were several kinds have the
same object in `closure.json`, which is still read. Clipper's folders of Python functions have none, but a
`func.pkl`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clipper_container.model import ModelLoadError

MANIFEST_NAME = "model.json"
_OLD_MANIFEST_NAME = "closure.json"
_CLIPPERS_PICKLE = "func.pkl"


def write_manifest(directory: Path, kind: str, fields: Mapping[str, object]) -> None:
    """Write the manifest of a model of this kind; `fields` are the keys of that kind."""
    text = json.dumps({"kind": kind, **fields}, indent=2)
    (directory / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a model folder; raise ModelLoadError if it is missing or cannot be read."""
    path = directory / MANIFEST_NAME
    if not path.exists() and (directory / _OLD_MANIFEST_NAME).exists():
        path = directory / _OLD_MANIFEST_NAME
    if not path.exists() and (directory / _CLIPPERS_PICKLE).exists():
        return {"kind": "python-closure"}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ModelLoadError(
            f"{directory} is not a model folder: cannot read {path.name} ({exc.strerror}); "
            "set CLIPPER_MODEL_PATH to the folder that holds it"
        ) from exc
    except ValueError as exc:
        raise ModelLoadError(f"{path} is not valid JSON: {exc}; save the model again") from exc
    if not isinstance(manifest, dict) or not isinstance(manifest.get("kind"), str):
        raise ModelLoadError(f"{path} does not name the model's kind; save the model again")
    return manifest

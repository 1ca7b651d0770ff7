"""The kind `python-closure`: a Python function, and the modules beside it.

    model.json     {"kind": "python-closure", "format": 1, "python": "3.11", "cloudpickle": "3.1.2"}
    closure.pkl    the function, by cloudpickle
    modules/       source files of modules that the function imports, by their path below sys.path

Both sides of the format are here: the admin library saves, the runtime loads. The caller of save_closure()
decides which modules travel.
"""

from __future__ import annotations

import pickle
import platform
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Callable

import cloudpickle

from clipper_container.kinds.aliases import provide_library_names
from clipper_container.kinds.manifest import write_manifest
from clipper_container.model import Inputs, Model, ModelLoadError, Outputs

FORMAT = 1
KIND = "python-closure"
_PICKLE_NAME = "closure.pkl"
_MODULES_NAME = "modules"
_NO_MODULES: Mapping[str, bytes] = MappingProxyType({})


class ClosureMismatch(ModelLoadError):  # noqa: N818 - it is caught by this name
    """A function was saved by a Python or cloudpickle that this process is not compatible with."""


class ClosureModel(Model):
    """A Python function as a model."""

    def __init__(self, function: Callable[[Inputs], Outputs]) -> None:
        self._function = function

    @classmethod
    def load(cls, directory: Path, manifest: Mapping[str, Any]) -> ClosureModel:
        """Return the function in `directory` as a model, with its modules first on sys.path.

        Raises ClosureMismatch, before anything is unpickled, if another Python minor or cloudpickle major
        version saved it; ModelLoadError if the folder is incomplete; and whatever unpickling raises.
        """
        _check_versions(manifest, directory)
        pickled = _read_pickle(directory)
        modules_path = str((directory / _MODULES_NAME).resolve())
        if Path(modules_path).is_dir() and modules_path not in sys.path:
            sys.path.insert(0, modules_path)
        provide_library_names()
        function = pickle.loads(pickled)
        if not callable(function):
            raise ModelLoadError(
                f"{directory / _PICKLE_NAME} holds {type(function).__name__}, not a function; "
                "save the model again"
            )
        return cls(function)

    def predict(self, inputs: Inputs) -> Outputs:
        """Call the function with the whole batch."""
        return self._function(inputs)


def save_closure(
    func: Callable[..., Any], directory: Path, modules: Mapping[str, bytes] = _NO_MODULES
) -> None:
    """Write `func` into `directory`, which is created if it is missing.

    `modules` maps relative paths (`beside.py`, `package/part.py`) to source text. Raises TypeError if `func`
    cannot be called or pickled, ValueError for a path that leaves the directory.
    """
    if not callable(func):
        raise TypeError(f"a model needs a function, not {type(func).__name__} {func!r:.80}")
    pickled = _pickle(func)
    targets = {directory / _MODULES_NAME / _relative(path): source for path, source in modules.items()}
    directory.mkdir(parents=True, exist_ok=True)
    for target, source in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source)
    (directory / _PICKLE_NAME).write_bytes(pickled)
    write_manifest(directory, KIND, {"format": FORMAT, **_versions()})


def _pickle(func: Callable[..., Any]) -> bytes:
    try:
        pickled: bytes = cloudpickle.dumps(func)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, ValueError) as exc:
        raise TypeError(
            f"{func!r:.80} cannot be pickled: {exc}. Create objects that cannot travel (locks, sockets, "
            "clients, open files) inside the function, not outside"
        ) from exc
    return pickled


def _read_pickle(directory: Path) -> bytes:
    try:
        return (directory / _PICKLE_NAME).read_bytes()
    except OSError as exc:
        raise ModelLoadError(
            f"{directory} is incomplete: cannot read {_PICKLE_NAME} ({exc.strerror}); save the model again"
        ) from exc


def _relative(path: str) -> PurePosixPath:
    relative = PurePosixPath(path)
    if relative.is_absolute() or not relative.parts or ".." in relative.parts:
        raise ValueError(f"module path {path!r} leaves the model's directory: use a relative path")
    return relative


def _versions() -> dict[str, str]:
    major, minor, _ = platform.python_version_tuple()
    return {"python": f"{major}.{minor}", "cloudpickle": str(cloudpickle.__version__)}


def _check_versions(manifest: Mapping[str, Any], directory: Path) -> None:
    if manifest.get("format") != FORMAT:
        raise ModelLoadError(
            f"{directory} holds a closure of format {manifest.get('format')!r}: "
            f"this runtime reads format {FORMAT}; save the model with the version of the admin library that "
            "started the cluster"
        )
    here = _versions()
    saved = {name: str(manifest.get(name)) for name in here}
    if saved["python"] != here["python"]:
        raise ClosureMismatch(
            f"the model was saved by Python {saved['python']} and cannot be loaded by Python "
            f"{here['python']}: use the same minor version on both sides"
        )
    if saved["cloudpickle"].partition(".")[0] != here["cloudpickle"].partition(".")[0]:
        raise ClosureMismatch(
            f"the model was saved by cloudpickle {saved['cloudpickle']} and cannot be loaded by cloudpickle "
            f"{here['cloudpickle']}: install the same major version on both sides"
        )

"""The kind `python-closure`: a Python function, and the modules and files that travel with it.

    model.json     {"kind": "python-closure", "format": 2, "python": "3.11", "cloudpickle": "3.1.2", …}
    func.pkl       the function and its names of `__main__`, by cloudpickle (pickling.py)
    modules/       modules that the function imports, by their path below sys.path, and files beside them

Both sides of the format are here: the admin library saves, the runtime loads. The caller of save_closure()
decides what travels. Format 1 had its pickle in `closure.pkl`. Folders of Clipper's admin library have
`func.pkl` and `modules/` alone, and its containers read these two of any folder.
"""

from __future__ import annotations

import io
import os
import pickle
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Callable, Optional, Union

import cloudpickle

from clipper_container.kinds.aliases import provide_library_names
from clipper_container.kinds.manifest import read_manifest, write_manifest
from clipper_container.kinds.pickling import dump_function, find_script_globals, load_function
from clipper_container.kinds.script import install_names, is_script
from clipper_container.model import Inputs, Model, ModelLoadError, Outputs

FORMAT = 2
KIND = "python-closure"
#: Every container of Clipper's can read this protocol.
CLIPPERS_PROTOCOL = 2
_PICKLE_NAMES = {1: "closure.pkl", FORMAT: "func.pkl"}
_PICKLE_NAME = _PICKLE_NAMES[FORMAT]
_MODULES_NAME = "modules"
#: A module's or a file's content, or where it is.
Content = Union[bytes, Path]
_NOTHING: Mapping[str, Content] = MappingProxyType({})


class ClosureMismatch(ModelLoadError):  # noqa: N818 - it is caught by this name
    """A function was saved by a Python or cloudpickle that this process is not compatible with."""


class ClosureModel(Model):
    """A Python function as a model."""

    def __init__(self, function: Callable[[Inputs], Outputs]) -> None:
        self._function = function

    @classmethod
    def load(cls, directory: Path, manifest: Mapping[str, Any]) -> ClosureModel:
        """Return the function in `directory` as a model, with its modules on sys.path.

        A process that serves one model also gets the names of the function's `__main__`, and works in the
        folder of the files that were given. Raises ClosureMismatch, before anything is unpickled, if another
        Python minor or cloudpickle major version saved it; ModelLoadError if the folder is incomplete; and
        whatever unpickling raises.
        """
        function, names = _load(directory, manifest)
        if not callable(function):
            raise ModelLoadError(
                f"{directory / _PICKLE_NAME} holds {type(function).__name__}, not a function; "
                "save the model again"
            )
        install_names(names)
        return cls(function)

    def predict(self, inputs: Inputs) -> Outputs:
        """Call the function with the whole batch."""
        return self._function(inputs)


def load_names(directory: Path) -> dict[str, Any]:
    """Return the names of the `__main__` of the function in `directory`. Raises as ClosureModel.load()."""
    return _load(directory, read_manifest(directory))[1]


def load_pickled(directory: Path) -> Any:
    """Return what save_pickled() was given, with its modules on sys.path. Raises as ClosureModel.load()."""
    loaded, names = _load(directory, read_manifest(directory))
    install_names(names)
    return loaded


def save_closure(
    func: Callable[..., Any],
    directory: Path,
    modules: Mapping[str, Content] = _NOTHING,
    *,
    files: Sequence[str] = (),
    protocol: Optional[int] = None,
) -> None:
    """Write `func` into `directory`. Raises TypeError if it cannot be called, and as save_pickled()."""
    if not callable(func):
        raise TypeError(f"a model needs a function, not {type(func).__name__} {func!r:.80}")
    save_pickled(func, directory, modules, files=files, protocol=protocol)


def save_pickled(
    obj: Any,
    directory: Path,
    modules: Mapping[str, Content] = _NOTHING,
    *,
    files: Sequence[str] = (),
    protocol: Optional[int] = None,
) -> None:
    """Write a function, or what else travels by pickle, into `directory`, which is made if it is missing.

    `modules` maps relative paths (`beside.py`, `package/part.py`) to contents, data files among them; `files`
    are those of its paths that the user named. Raises TypeError if `obj` cannot be pickled, ValueError for a
    path that leaves the directory.
    """
    pickled = _pickle(obj, protocol)
    targets = {directory / _MODULES_NAME / _relative(path): content for path, content in modules.items()}
    directory.mkdir(parents=True, exist_ok=True)
    for target, content in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, target)
        else:
            target.write_bytes(content)
    (directory / _PICKLE_NAME).write_bytes(pickled)
    write_manifest(directory, KIND, {"format": FORMAT, **_versions(), "files": list(files)})


def _pickle(func: Any, protocol: Optional[int]) -> bytes:
    file = io.BytesIO()
    try:
        dump_function(func, file, protocol)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, ValueError) as exc:
        raise TypeError(
            f"{func!r:.80} cannot be pickled: {exc}. Create objects that cannot travel (locks, sockets, "
            "clients, open files) inside the function, not outside"
        ) from exc
    return file.getvalue()


def _load(directory: Path, manifest: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    _check_versions(manifest, directory)
    pickled = _read_pickle(directory, _PICKLE_NAMES[manifest.get("format", FORMAT)])
    modules = (directory / _MODULES_NAME).resolve()
    if modules.is_dir() and str(modules) not in sys.path:
        # As Clipper's containers do with their folders.
        sys.path.insert(0 if "format" in manifest else len(sys.path), str(modules))
    if manifest.get("files") and is_script():
        os.chdir(modules)
    provide_library_names()
    function, names = _unpickle(pickled, directory, manifest)
    script = find_script_globals([function, *names.values()])
    if script is not None:
        if manifest.get("files") and "__file__" in script:
            script["__file__"] = str(modules / Path(script["__file__"]).name)
        names = {**script, **names}
    return function, {name: value for name, value in names.items() if not name.startswith("__")}


def _unpickle(pickled: bytes, directory: Path, manifest: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    if "format" in manifest:
        return load_function(pickled)
    try:
        return load_function(pickled)
    except ImportError:
        raise
    except (AttributeError, TypeError, ValueError, SystemError, EOFError, pickle.UnpicklingError) as exc:
        raise ClosureMismatch(
            f"{directory / _PICKLE_NAME} cannot be loaded by Python {_versions()['python']} and cloudpickle "
            f"{cloudpickle.__version__} ({type(exc).__name__}: {exc}), and does not say what saved it: "
            "deploy the function anew, with the minor version of Python that runs it"
        ) from exc


def _read_pickle(directory: Path, name: str) -> bytes:
    try:
        return (directory / name).read_bytes()
    except OSError as exc:
        raise ModelLoadError(
            f"{directory} is incomplete: cannot read {name} ({exc.strerror}); save the model again"
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
    if "format" not in manifest:
        return
    if manifest["format"] not in _PICKLE_NAMES:
        raise ModelLoadError(
            f"{directory} holds a closure of format {manifest['format']!r}: this runtime reads "
            f"formats up to {FORMAT}; save the model with the version of the admin library that started the "
            "cluster"
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

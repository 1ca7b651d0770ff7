"""The table of kinds, and how a model folder becomes a model.

A kind is a subclass of `Model` with a name. Built-in kinds are modules beside this one and stand in KINDS.
Another distribution brings a kind by an entry point of the group `clipper_container.kinds`, named as the kind
and leading to its class; built-in names cannot be replaced. A kind's module is imported only when a model of
that kind is loaded, so only replicas that use a framework need it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from clipper_container.kinds.manifest import read_manifest
from clipper_container.model import Model, ModelLoadError

ENTRY_POINT_GROUP = "clipper_container.kinds"

#: The built-in kinds: name, module and class.
KINDS: Mapping[str, str] = {
    "python-closure": "clipper_container.kinds.closure:ClosureModel",
    "lightgbm": "clipper_container.kinds.frameworks.lightgbm:LightGBMModel",
    "onnx": "clipper_container.kinds.frameworks.onnx:OnnxModel",
    "r": "clipper_container.kinds.frameworks.r.model:RModel",
    "sklearn": "clipper_container.kinds.frameworks.sklearn:SklearnModel",
    "xgboost": "clipper_container.kinds.frameworks.xgboost:XGBoostModel",
}


def load_model(directory: Path) -> Model:
    """Return the model in the folder `directory`, loaded by the class of its kind.

    Raises ModelLoadError if it is not a model folder or its kind cannot be used, and whatever the model's own
    code raises.
    """
    manifest = read_manifest(directory)
    name = manifest["kind"]
    kinds = _kinds()
    if name not in kinds:
        raise ModelLoadError(
            f"{directory} holds a model of kind {name!r}, which is unknown here: this runtime loads "
            f"{', '.join(kinds)}; install the package that brings the kind beside the model (pkgs_to_install)"
        )
    return _load_kind(kinds[name]).load(directory, manifest)


def _kinds() -> dict[str, EntryPoint]:
    """Return all kinds by name: the built-in ones, then those of other distributions."""
    kinds = {name: EntryPoint(name, path, ENTRY_POINT_GROUP) for name, path in KINDS.items()}
    for point in sorted(_installed(), key=lambda point: point.name):
        kinds.setdefault(point.name, point)
    return kinds


def _installed() -> Iterable[EntryPoint]:
    if sys.version_info >= (3, 10):
        points: Iterable[EntryPoint] = entry_points(group=ENTRY_POINT_GROUP)
    else:
        points = entry_points().get(ENTRY_POINT_GROUP, ())
    return points


def _load_kind(point: EntryPoint) -> type[Model]:
    try:
        kind = point.load()
    except Exception as exc:  # another distribution's module may raise anything
        raise ModelLoadError(
            f"the kind {point.name!r} ({point.value}) cannot be loaded: {type(exc).__name__}: {exc}; "
            "install the packages that it imports beside the model (pkgs_to_install)"
        ) from exc
    if not (isinstance(kind, type) and issubclass(kind, Model)):
        raise ModelLoadError(
            f"the kind {point.name!r} ({point.value}) is not a subclass of {Model.__module__}.Model: "
            "correct the entry point of the package that brings it"
        )
    return kind

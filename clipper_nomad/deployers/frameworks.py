"""The deployment of a framework's model in its native form, with the function that the user may give.

A framework's deployer says how its model is saved. Everything else is here, so that all of them take the same
arguments and options, and refuse alike.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from clipper_container.kinds.frameworks.layout import FORMAT, MODEL_FOLDER, PICKLED_FOLDER
from clipper_container.kinds.manifest import write_manifest
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers.packing.callables import check_callable
from clipper_nomad.deployers.packing.closure import pack
from clipper_nomad.deployers.packing.packages import add_recorded_packages
from clipper_nomad.errors import ClipperException
from clipper_nomad.images.clippers import find_clippers_python
from clipper_nomad.operations.requests import check_options
from clipper_nomad.types import DeployOptions, FrameworkOptions

_DEVICES = ("auto", "cpu", "cuda")
_OWN_OPTIONS = ("warm_up", "device", "files", "modules")


@dataclass(frozen=True)
class DeployArguments:
    """The arguments that all deployers have in common, in Clipper's order."""

    name: str
    version: str | int
    input_type: str
    base_image: str
    labels: Iterable[str] | None
    registry: str | None
    num_replicas: int
    batch_size: int
    pkgs_to_install: Iterable[str] | None


@dataclass(frozen=True)
class NativeForm:
    """A model as its framework saves it.

    `save` writes it into an empty folder, and returns the fields of the manifest by which `kind` opens it.
    `frameworks` are the modules whose packages replicas need, in their versions here. `pickled` is what can
    travel by pickle alone, such as the class of a PyTorch module; the function is given `arguments` before
    the inputs.
    """

    kind: str
    save: Callable[[Path], Mapping[str, object]]
    frameworks: tuple[str, ...]
    pickled: Any = None
    arguments: tuple[str, ...] = ("model",)


def check_framework_options(options: Mapping[str, object]) -> None:
    """Raise TypeError for an option that there is not, and ClipperException for a wrong value."""
    _split(options)


def deploy_native_form(
    clipper_conn: ClipperConnection,
    arguments: DeployArguments,
    form: NativeForm,
    func: Callable[..., Any] | None,
    options: FrameworkOptions,
) -> None:
    """Deploy a framework's model as a model version, and return when it is ready and current.

    Raises what deploy_python_closure() raises, and ClipperException if the model cannot be saved.
    """
    own, deploy_options = _split(options)
    if func is not None:
        check_callable(func, form.arguments)
    with tempfile.TemporaryDirectory(prefix=f"clipper-{form.kind}-") as folder:
        packages = save_native_form(form, func, Path(folder), arguments, own)
        clipper_conn.build_and_deploy_model(
            arguments.name,
            arguments.version,
            arguments.input_type,
            folder,
            arguments.base_image,
            arguments.labels,
            arguments.registry,
            arguments.num_replicas,
            arguments.batch_size,
            packages,
            **deploy_options,
        )


def save_native_form(
    form: NativeForm,
    func: Callable[..., Any] | None,
    folder: Path,
    arguments: DeployArguments,
    own: FrameworkOptions,
) -> Iterable[str] | None:
    """Write the model's folder; return the packages that its replicas need."""
    refuse_clippers_image(arguments.base_image, form.kind)
    native = folder / MODEL_FOLDER
    native.mkdir()
    fields = form.save(native)
    packages = arguments.pkgs_to_install
    if func is not None or form.pickled is not None:
        packages = pack(
            (func, form.pickled),
            folder / PICKLED_FOLDER,
            packages,
            files=own.get("files", ()),
            modules=own.get("modules", ()),
        )
    device = own.get("device", "auto")
    fields = {**fields, "device": device}
    write_manifest(
        folder, form.kind, {"format": FORMAT, "warm_up": own.get("warm_up", True), "model": fields}
    )
    return add_recorded_packages(form.frameworks, packages)


def refuse_clippers_image(base_image: str, kind: str) -> None:
    """Raise ClipperException for an image of Clipper's own."""
    if find_clippers_python(base_image) is not None:
        raise ClipperException(
            f"The base image {base_image} is one of Clipper's, whose containers do not read models of kind "
            f"{kind!r}: leave base_image out, or deploy a function with deploy_python_closure()."
        )


def require(module: str, extra: str, what: str) -> None:
    """Raise ClipperException unless a framework's module can be imported here."""
    if importlib.util.find_spec(module) is None:
        raise ClipperException(
            f"{what} needs {module}, which is not installed here: pip install 'clipper-nomad[{extra}]'."
        )


def _split(options: Mapping[str, object]) -> tuple[FrameworkOptions, DeployOptions]:
    """Return a framework's own options, and those of every deployment; raise for wrong ones."""
    own = {name: value for name, value in options.items() if name in _OWN_OPTIONS}
    deploy = {name: value for name, value in options.items() if name not in _OWN_OPTIONS}
    check_options(deploy, _OWN_OPTIONS)
    device: Any = own.get("device", "auto")
    if device not in _DEVICES:
        raise ClipperException(f"device is {device!r}: use one of {', '.join(map(repr, _DEVICES))}.")
    warm_up = own.get("warm_up", True)
    if not isinstance(warm_up, bool):
        raise ClipperException(f"warm_up is {warm_up!r}: use True or False.")
    if not warm_up:
        deploy.pop("sample_input", None)
    return cast("FrameworkOptions", own), cast("DeployOptions", deploy)

"""Deployment of models in ONNX, which ONNX Runtime computes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from clipper_container.kinds.frameworks.onnx import KIND, MODEL_NAME
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers.endpoint import endpoint
from clipper_nomad.deployers.frameworks import (
    DeployArguments,
    NativeForm,
    check_framework_options,
    deploy_native_form,
    require,
)
from clipper_nomad.errors import ClipperException
from clipper_nomad.types import FrameworkOptions


def create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    onnx_model: Any,
    default_output: str = "None",
    version: str | int = 1,
    slo_micros: int = 3000000,
    labels: Iterable[str] | None = None,
    registry: str | None = None,
    base_image: str = "default",
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Iterable[str] | None = None,
    *,
    func: Callable[[Any, Any], Any] | None = None,
    **options: Unpack[FrameworkOptions],
) -> None:
    """Deploy an ONNX model, register an application of the same name, and link the two.

    `slo_micros` is in microseconds; answers that are not ready by then are `default_output`. See
    deploy_onnx_model() for the other arguments and the errors.
    """
    check_framework_options(options)
    with endpoint(clipper_conn, name, input_type, default_output, slo_micros):
        deploy_onnx_model(
            clipper_conn,
            name,
            version,
            input_type,
            onnx_model,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            func=func,
            **options,
        )


def deploy_onnx_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: str | int,
    input_type: str,
    onnx_model: Any,
    base_image: str = "default",
    labels: Iterable[str] | None = None,
    registry: str | None = None,
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Iterable[str] | None = None,
    *,
    func: Callable[[Any, Any], Any] | None = None,
    **options: Unpack[FrameworkOptions],
) -> None:
    """Deploy an ONNX model as a model version, and return when it is ready and current.

    `onnx_model` is the path of a `.onnx` file, whose files of weights are beside it, or an onnx.ModelProto. A
    `func` is called as func(session, inputs) with the onnxruntime.InferenceSession and the inputs as they
    come. Without one, inputs become the dtype and the shape that the model declares, an answer is the model's
    output, and an object of all outputs by name if there are several; no pickle travels.

    `options` are those of FrameworkOptions. Raises what deploy_python_closure() raises.
    """
    form = NativeForm(KIND, lambda folder: _save(onnx_model, folder), ("onnxruntime",))
    arguments = DeployArguments(
        name,
        version,
        input_type,
        base_image,
        labels,
        registry,
        num_replicas,
        batch_size,
        pkgs_to_install,
    )
    deploy_native_form(clipper_conn, arguments, form, func, options)


def _save(model: Any, folder: Path) -> Mapping[str, object]:
    if isinstance(model, str | Path):
        _copy(Path(model), folder)
        return {}
    require("onnx", "onnx", "saving an onnx.ModelProto")
    import onnx

    if not isinstance(model, onnx.ModelProto):
        raise ClipperException(
            f"The model is a {type(model).__name__}: pass an onnx.ModelProto, or the path of a .onnx file."
        )
    onnx.save_model(model, folder / MODEL_NAME)
    return {}


def _copy(path: Path, folder: Path) -> None:
    """Copy a model and the files beside it that hold its weights."""
    if not path.is_file():
        raise ClipperException(f"The model {str(path)!r} is no file: pass the path of a .onnx file.")
    shutil.copyfile(path, folder / MODEL_NAME)
    for name in _find_weights(path):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path.parent / name, target)
        except OSError as exc:
            raise ClipperException(
                f"The model {str(path)!r} keeps weights in {name}, which cannot be read: {exc.strerror}."
            ) from exc


def _find_weights(path: Path) -> set[str]:
    """Return the paths of a model's weights that are in other files, from the model's folder."""
    require("onnx", "onnx", "reading a .onnx file")
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    try:
        model = onnx.load_model(path, load_external_data=False)
    except Exception as exc:
        raise ClipperException(f"The model {str(path)!r} is no ONNX model: {exc}") from exc
    tensors = filter(uses_external_data, _get_all_tensors(model))
    return {str(ExternalDataInfo(tensor).location) for tensor in tensors}

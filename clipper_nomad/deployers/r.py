"""Deployment of functions and fitted models of R's, from the folders that clipperr::save_model() writes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Unpack

from clipper_container.input_types import InputType
from clipper_container.kinds.frameworks.layout import MODEL_FOLDER
from clipper_container.kinds.frameworks.r.model import KIND, MODEL_NAME
from clipper_container.kinds.manifest import read_manifest
from clipper_container.model import ModelLoadError
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers.endpoint import endpoint
from clipper_nomad.deployers.frameworks import refuse_clippers_image
from clipper_nomad.errors import ClipperException
from clipper_nomad.images.recipes import find_recipe
from clipper_nomad.names import parse_input_type
from clipper_nomad.operations.requests import check_options
from clipper_nomad.types import DeployOptions


def create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    model_path: str | Path,
    default_output: str = "None",
    version: str | int = 1,
    slo_micros: int = 3000000,
    labels: Iterable[str] | None = None,
    registry: str | None = None,
    base_image: str = "default",
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Iterable[str] | None = None,
    **options: Unpack[DeployOptions],
) -> None:
    """Deploy a saved R model, register an application of the same name, and link the two.

    `slo_micros` is in microseconds; answers that are not ready by then are `default_output`. See
    deploy_r_model() for the other arguments and the errors.
    """
    check_options(options)
    with endpoint(clipper_conn, name, input_type, default_output, slo_micros):
        deploy_r_model(
            clipper_conn,
            name,
            version,
            input_type,
            model_path,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            **options,
        )


def deploy_r_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: str | int,
    input_type: str,
    model_path: str | Path,
    base_image: str = "default",
    labels: Iterable[str] | None = None,
    registry: str | None = None,
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Iterable[str] | None = None,
    **options: Unpack[DeployOptions],
) -> None:
    """Deploy a function or a fitted model of R's as a model version, and return when it is ready and current.

    `model_path` is the folder that clipperr::save_model() or build_model() wrote in R, or the path of the
    model.rds in it. Replicas need R and jsonlite, and the R packages of the model: the machine has them if
    replicas are its processes, else name a `base_image` with them and with clipper-container.

    `options` are those of DeployOptions. Raises ClipperException if the path holds no such model, or one of
    another input type, and what deploy_python_closure() raises.
    """
    check_options(options)
    refuse_clippers_image(base_image, KIND)
    clipper_conn.build_and_deploy_model(
        name,
        version,
        input_type,
        find_model(model_path, input_type),
        base_image,
        labels,
        registry,
        num_replicas,
        batch_size,
        pkgs_to_install,
        **options,
    )


def clipperr_folder() -> Path:
    """Return the folder of the R package clipperr, for `R CMD INSTALL`."""
    return find_recipe("r/clipperr/DESCRIPTION").parent


def find_model(model_path: str | Path, input_type: str) -> Path:
    """Return the folder of a saved model. Raises ClipperException if there is none for this input type."""
    path = Path(model_path).expanduser()
    folder = path.parent.parent if path.name == MODEL_NAME else path
    try:
        manifest = read_manifest(folder)
    except ModelLoadError as error:
        raise _no_model(model_path, str(error)) from error
    if manifest["kind"] != KIND:
        raise _no_model(model_path, f"it holds a model of kind {manifest['kind']!r}")
    if not (folder / MODEL_FOLDER / MODEL_NAME).is_file():
        raise _no_model(model_path, f"{MODEL_FOLDER}/{MODEL_NAME} is missing")
    _require_input_type(manifest["model"]["input_type"], input_type)
    return folder


def _no_model(model_path: str | Path, reason: str) -> ClipperException:
    return ClipperException(
        f"model_path is {str(model_path)!r}, which holds no model that was saved in R ({reason}): pass the "
        "folder that clipperr::save_model() wrote, or the model.rds in it."
    )


def _require_input_type(saved: str, input_type: str) -> None:
    """Raise ClipperException unless a model of input type `saved` takes this one: floats are doubles in R."""
    wanted = parse_input_type(input_type)
    taken = {InputType.DOUBLES.value: (InputType.DOUBLES.value, InputType.FLOATS.value)}.get(saved, (saved,))
    if wanted not in taken:
        raise ClipperException(
            f"The model was saved with a sample input of type {saved}, and input_type is {wanted!r}: deploy "
            f"it with {saved!r}, or save it with a sample input of that type."
        )

"""Deployment of models of LightGBM."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from clipper_container.kinds.frameworks.lightgbm import KIND, MODEL_NAME
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
    lightgbm_model: Any,
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
    """Deploy a model of LightGBM, register an application of the same name, and link the two.

    `slo_micros` is in microseconds; answers that are not ready by then are `default_output`. See
    deploy_lightgbm_model() for the other arguments and the errors.
    """
    check_framework_options(options)
    with endpoint(clipper_conn, name, input_type, default_output, slo_micros):
        deploy_lightgbm_model(
            clipper_conn,
            name,
            version,
            input_type,
            lightgbm_model,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            func=func,
            **options,
        )


def deploy_lightgbm_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: str | int,
    input_type: str,
    lightgbm_model: Any,
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
    """Deploy a model of LightGBM as a model version, and return when it is ready and current.

    `lightgbm_model` is a lightgbm.Booster, or one of its wrappers for scikit-learn, such as LGBMClassifier. A
    `func` is called as func(booster, inputs) with the Booster and the inputs as they come. Without one, an
    answer is what the Booster's predict() gives, and of a classifier a label; no pickle travels. A model that
    was trained on a DataFrame takes numbers in the order of its columns, or inputs of type strings that hold
    a JSON object each.

    `options` are those of FrameworkOptions. Raises what deploy_python_closure() raises.
    """
    booster = _booster_of(lightgbm_model)
    columns = _columns(booster)
    packages = ("lightgbm", "pandas") if columns else ("lightgbm",)
    form = NativeForm(KIND, lambda folder: _save(lightgbm_model, booster, columns, folder), packages)
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


def _booster_of(model: Any) -> Any:
    """Return the Booster of a model. Raises ClipperException for what is no model, or not fitted."""
    require("lightgbm", "lightgbm", "deploying a model of LightGBM")
    import lightgbm

    if isinstance(model, lightgbm.Booster):
        return model
    if not isinstance(model, lightgbm.LGBMModel):
        raise ClipperException(
            f"The model is a {type(model).__name__}: pass a lightgbm.Booster, or a wrapper such as "
            "lightgbm.LGBMClassifier."
        )
    try:
        return model.booster_
    except ValueError as exc:
        raise ClipperException(f"The model cannot be saved: {exc}. Fit it first.") from exc


def _save(model: Any, booster: Any, columns: list[str] | None, folder: Path) -> Mapping[str, object]:
    booster.save_model(str(folder / MODEL_NAME))
    # Of the models, classifiers alone have classes.
    classes = model.classes_.tolist() if hasattr(model, "classes_") else None
    return {"columns": columns, "classes": classes}


def _columns(booster: Any) -> list[str] | None:
    """Return the names of the columns that a model was trained on; None if they had none."""
    names = list(booster.feature_name())
    return None if names == [f"Column_{place}" for place in range(len(names))] else names

"""Deployment of models of XGBoost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from clipper_container.kinds.frameworks.xgboost import KIND, MODEL_NAME
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
    xgboost_model: Any,
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
    """Deploy a model of XGBoost, register an application of the same name, and link the two.

    `slo_micros` is in microseconds; answers that are not ready by then are `default_output`. See
    deploy_xgboost_model() for the other arguments and the errors.
    """
    check_framework_options(options)
    with endpoint(clipper_conn, name, input_type, default_output, slo_micros):
        deploy_xgboost_model(
            clipper_conn,
            name,
            version,
            input_type,
            xgboost_model,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            func=func,
            **options,
        )


def deploy_xgboost_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: str | int,
    input_type: str,
    xgboost_model: Any,
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
    """Deploy a model of XGBoost as a model version, and return when it is ready and current.

    `xgboost_model` is an xgboost.Booster, or one of its wrappers for scikit-learn, such as XGBClassifier. A
    `func` is called as func(model, inputs) with the model and the inputs as they come. Without one, an answer
    is what the Booster's inplace_predict() or the wrapper's predict() gives, and no pickle travels. A model
    that was trained on a DataFrame takes numbers in the order of its columns, or inputs of type strings that
    hold a JSON object each.

    `options` are those of FrameworkOptions. Raises what deploy_python_closure() raises.
    """
    booster = _booster_of(xgboost_model)
    form = NativeForm(
        KIND, lambda folder: _save(xgboost_model, booster, folder), _packages(xgboost_model, booster)
    )
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
    require("xgboost", "xgboost", "deploying a model of XGBoost")
    import xgboost

    if isinstance(model, xgboost.Booster):
        return model
    if not isinstance(model, xgboost.XGBModel):
        raise ClipperException(
            f"The model is a {type(model).__name__}: pass an xgboost.Booster, or a wrapper such as "
            "xgboost.XGBClassifier."
        )
    try:
        return model.get_booster()
    except ValueError as exc:
        raise ClipperException(f"The model cannot be saved: {exc}. Fit it first.") from exc


def _save(model: Any, booster: Any, folder: Path) -> Mapping[str, object]:
    model.save_model(folder / MODEL_NAME)
    return {} if model is booster else {"wrapper": _wrapper_of(model)}


def _wrapper_of(model: Any) -> str:
    """Return the name of the wrapper's class in xgboost: a subclass of the user's saves as its base."""
    return next(each.__name__ for each in type(model).__mro__ if each.__module__.startswith("xgboost"))


def _packages(model: Any, booster: Any) -> tuple[str, ...]:
    """Return the modules whose packages a replica needs."""
    wrapper = () if model is booster else ("sklearn",)
    return ("xgboost", *wrapper, *(("pandas",) if booster.feature_names else ()))

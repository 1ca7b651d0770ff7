"""Deployment of estimators and pipelines of scikit-learn."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Unpack

from clipper_container.kinds.frameworks.sklearn import KIND, MODEL_NAME
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

logger = logging.getLogger("clipper")


def create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    sklearn_model: Any,
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
    """Deploy an estimator of scikit-learn, register an application of the same name, and link the two.

    `slo_micros` is in microseconds; answers that are not ready by then are `default_output`. See
    deploy_sklearn_model() for the other arguments and the errors.
    """
    check_framework_options(options)
    with endpoint(clipper_conn, name, input_type, default_output, slo_micros):
        deploy_sklearn_model(
            clipper_conn,
            name,
            version,
            input_type,
            sklearn_model,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            func=func,
            **options,
        )


def deploy_sklearn_model(
    clipper_conn: ClipperConnection,
    name: str,
    version: str | int,
    input_type: str,
    sklearn_model: Any,
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
    """Deploy an estimator of scikit-learn as a model version, and return when it is ready and current.

    `sklearn_model` is a fitted estimator or a Pipeline with predict(). A `func` is called as
    func(estimator, inputs) with the inputs as they come. An estimator that was trained on a DataFrame takes
    numbers in the order of its columns, or inputs of type strings that hold a JSON object each.

    The estimator travels by skops if that is installed and can hold it: then no pickle does, unless there is
    a `func`. Else it is pickled, and only the caller's minor version of Python can load it.

    `options` are those of FrameworkOptions. Raises what deploy_python_closure() raises.
    """
    _check(sklearn_model)
    form = _make_form(sklearn_model)
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


def _check(model: Any) -> None:
    require("sklearn", "sklearn", "deploying an estimator of scikit-learn")
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(model, BaseEstimator):
        raise ClipperException(
            f"The model is a {type(model).__name__}: pass a fitted estimator or a Pipeline of scikit-learn."
        )
    if not hasattr(model, "predict"):
        raise ClipperException(
            f"{type(model).__name__} has no predict(), so there is nothing to answer queries with: deploy a "
            "function that uses it with deploy_python_closure()."
        )
    try:
        check_is_fitted(model)
    except NotFittedError as exc:
        raise ClipperException(f"The model cannot be deployed: {exc}") from exc


def _make_form(model: Any) -> NativeForm:
    packages = ("sklearn", "pandas") if hasattr(model, "feature_names_in_") else ("sklearn",)
    dumped = _dump(model)
    if dumped is None:
        return NativeForm(KIND, lambda _: {}, packages, pickled=model, arguments=("estimator",))
    used = sorted({name.partition(".")[0] for name in dumped.trusted} - {"sklearn"})
    return NativeForm(KIND, dumped.save, (*packages, "skops", *used), arguments=("estimator",))


@dataclass(frozen=True)
class _Dumped:
    """An estimator as skops holds it, and the types that it must trust to load it."""

    data: bytes
    trusted: list[str]

    def save(self, folder: Path) -> Mapping[str, object]:
        (folder / MODEL_NAME).write_bytes(self.data)
        return {"trusted": self.trusted}


def _dump(model: Any) -> _Dumped | None:
    """Return the estimator as skops holds it; None if it cannot."""
    if importlib.util.find_spec("skops") is None:
        logger.info("The estimator travels by pickle, since skops is missing: clipper-nomad[sklearn] has it")
        return None
    import skops.io

    try:
        data = skops.io.dumps(model)
        trusted = sorted(skops.io.get_untrusted_types(data=data))
        skops.io.loads(data, trusted=trusted)
    except Exception as exc:  # noqa: BLE001 - skops raises what it meets, of any type
        logger.info("The estimator travels by pickle, since skops cannot hold it: %s", exc)
        return None
    installed = packages_distributions()
    # Types of the user's script or own modules: skops does not bring them.
    if local := [name for name in trusted if name.partition(".")[0] not in installed]:
        logger.info("The estimator travels by pickle, with %s, which no package has", ", ".join(local))
        return None
    return _Dumped(data, trusted)

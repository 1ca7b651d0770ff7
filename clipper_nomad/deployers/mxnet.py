"""Deployment of MXNet models, which ended with MXNet: the calls say what to do instead."""

from __future__ import annotations

from typing import Any, NoReturn

from clipper_nomad.errors import ClipperException


def deploy_mxnet_model(*arguments: Any, **options: Any) -> NoReturn:
    """Raise ClipperException: MXNet models cannot be served."""
    del arguments, options
    _refuse("deploy_mxnet_model", "deploy_onnx_model")


def create_endpoint(*arguments: Any, **options: Any) -> NoReturn:
    """Raise ClipperException: MXNet models cannot be served."""
    del arguments, options
    _refuse("create_endpoint", "create_endpoint")


def _refuse(call: str, instead: str) -> NoReturn:
    raise ClipperException(
        f"mxnet.{call}() cannot deploy the model: MXNet ended in 2023, and its last version works with no "
        "NumPy of today. Export the model to ONNX where it was trained (mxnet.onnx.export_model), and deploy "
        f"the file with clipper_nomad.deployers.onnx.{instead}()."
    )

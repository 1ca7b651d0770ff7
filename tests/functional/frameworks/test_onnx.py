"""Models in ONNX, served by ONNX Runtime."""

from __future__ import annotations

from tests.support.frameworks.checks import FrameworkChecks


class TestOnnx(FrameworkChecks):
    """A regression, deployed as an object, and another one as a file."""

    environment = "light"
    case = "onnx"
    wrong_input = "Got invalid dimensions"
    broken = "is no ONNX model"

"""The device that a framework computes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from clipper_container.model import ModelLoadError

CPU, CUDA = "cpu", "cuda"


def choose_device(fields: Mapping[str, Any], has_cuda: Callable[[], bool], framework: str) -> str:
    """Return `cpu` or `cuda`: the one that the manifest asks for; by `auto`, CUDA's where there is one.

    Raises ModelLoadError if CUDA is asked for and `has_cuda` finds none.
    """
    wanted = fields.get("device", "auto")
    if wanted == CPU or (wanted == "auto" and not has_cuda()):
        return CPU
    if wanted == CUDA and not has_cuda():
        raise ModelLoadError(
            f"the model was deployed with device='cuda', and {framework} finds no CUDA device here: deploy "
            "it with devices=[Device('nvidia/gpu')] and a framework built for CUDA, or with device='auto'"
        )
    if wanted not in ("auto", CUDA):
        raise ModelLoadError(f"the device is {wanted!r}: use 'auto', 'cpu' or 'cuda'")
    return CUDA

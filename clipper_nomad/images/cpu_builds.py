"""Packages that have a much smaller build for the CPU, which most models need no more than."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

#: By package: what to do, and how much smaller the image is.
_ADVICE: Mapping[str, tuple[str, str]] = {
    "tensorflow": ("name tensorflow-cpu in pkgs_to_install", "300 MB"),
    "xgboost": ("name xgboost-cpu in pkgs_to_install", "500 MB"),
    "torch": (
        "set CLIPPER_EXTRA_INDEX_URLS to https://download.pytorch.org/whl/cpu, which has PyTorch for the CPU",
        "2.5 GB",
    ),
}
#: The packages for CUDA that are installed beside a build for the GPU.
_GPU_PACKAGES = ("nvidia-", "cupy", "onnxruntime-gpu", "jax-cuda")


def advise_cpu_builds(packages: Iterable[str], extra_index_urls: Iterable[str] = ()) -> Iterator[str]:
    """Yield a line for each package whose build for the CPU is much smaller, unless a GPU is meant."""
    names = list(filter(None, map(_name_of, packages)))
    if any(name.startswith(_GPU_PACKAGES) for name in names) or any(
        "/whl/" in url for url in extra_index_urls
    ):
        return
    for name in names:
        if name in _ADVICE:
            what, size = _ADVICE[name]
            yield f"{name} brings libraries for GPUs. If the model needs none, {what}: {size} less to install"


def _name_of(package: str) -> str:
    try:
        return str(canonicalize_name(Requirement(package).name))
    except InvalidRequirement:
        return ""

"""The advice to install builds for the CPU."""

from __future__ import annotations

import pytest

from clipper_nomad.images.cpu_builds import advise_cpu_builds


@pytest.mark.parametrize(
    ("package", "advice"),
    [
        ("tensorflow==2.21.0", "name tensorflow-cpu in pkgs_to_install: 300 MB less"),
        ("XGBoost>=3", "name xgboost-cpu in pkgs_to_install: 500 MB less"),
        ("torch==2.15.0", "whl/cpu, which has PyTorch for the CPU: 2.5 GB less"),
    ],
)
def test_a_build_for_gpus_is_told_of(package: str, advice: str) -> None:
    (line,) = advise_cpu_builds(["numpy", package])
    assert advice in line


@pytest.mark.parametrize(
    "packages", [["tensorflow-cpu==2.21.0"], ["torch", "nvidia-cublas-cu13"], ["./torch.whl"]]
)
def test_what_is_meant_stays_unsaid(packages: list[str]) -> None:
    assert list(advise_cpu_builds(packages)) == []


def test_an_index_for_builds_of_pytorch_is_a_choice_already() -> None:
    assert list(advise_cpu_builds(["torch"], ["https://download.pytorch.org/whl/cpu"])) == []

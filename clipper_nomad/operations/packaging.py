"""What is built of a model's folder, checked before a manager is asked to build it.

Owns the checks. Knows no manager, and not what is in the folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clipper_nomad.errors import ClipperException
from clipper_nomad.types import BuildSpec, ModelVersion


def make_build_spec(
    model: ModelVersion,
    model_data_path: str | Path,
    base_image: str,
    container_registry: str | None,
    pkgs_to_install: Iterable[str] | None,
) -> BuildSpec:
    """Return what a manager is asked to build. Raises ClipperException for a folder that is not there."""
    folder = Path(model_data_path).expanduser()
    if not folder.is_dir():
        raise ClipperException(
            f"model_data_path is {str(model_data_path)!r}: pass the path of an existing folder."
        )
    return BuildSpec(
        model=model,
        model_data_path=folder.resolve(),
        base_image=base_image,
        container_registry=container_registry,
        pkgs_to_install=_parse_packages(pkgs_to_install),
    )


def _parse_packages(pkgs_to_install: Iterable[str] | None) -> tuple[str, ...]:
    if isinstance(pkgs_to_install, str):
        raise ClipperException(f"pkgs_to_install is {pkgs_to_install!r}: pass a list, as pip names packages.")
    packages = tuple(pkgs_to_install or ())
    for package in packages:
        if not str(package).strip():
            raise ClipperException(f"pkgs_to_install holds {package!r}: use names as pip takes them.")
    return packages

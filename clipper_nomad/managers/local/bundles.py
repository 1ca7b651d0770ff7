"""Built models: a copy of a model's folder with the interpreter that runs it, named by their content.

A bundle has the files `model/` and `bundle.json`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from clipper_nomad.errors import BuildError, ContainerManagerError
from clipper_nomad.managers.disk import private_files
from clipper_nomad.types import UnusedImage

_CHUNK_BYTES = 1 << 20
_DOOMED = ".old-"


@dataclass(frozen=True)
class Bundle:
    """The description in a bundle: the interpreter, and the requirements that it was built for."""

    python: str
    requirements: tuple[str, ...]


def make_bundle(bundles_dir: Path, model_data_path: Path, bundle: Bundle) -> Path:
    """Copy the folder into a bundle named by its content, unless it is there; return its directory."""
    if not model_data_path.is_dir():
        raise BuildError(f"Cannot build a model from {model_data_path}: this folder does not exist")
    description = msgspec.json.format(msgspec.json.encode(bundle))
    try:
        target = bundles_dir / _content_digest(model_data_path, description)
        if not target.exists():
            private_files.make_directory(bundles_dir)
            _copy(model_data_path, description, target)
    except (OSError, shutil.Error) as error:
        raise BuildError(
            f"Could not copy the model's folder {model_data_path} to {bundles_dir}: {error}"
        ) from error
    return target


def read_bundle(image: str) -> Bundle:
    """Return the description of the bundle `image`. Raises ContainerManagerError if it is no bundle."""
    try:
        return msgspec.json.decode((Path(image) / "bundle.json").read_bytes(), type=Bundle)
    except (OSError, msgspec.DecodeError) as error:
        raise ContainerManagerError(
            f"Cannot run {image!r}: it is not a built model ({error}). Deploy what the local manager's "
            "build() returned, in the cluster that built it, while its state exists. What was built for a "
            "version is removed when that is stopped: build it again."
        ) from error


def find_unused(bundles_dir: Path, used: Collection[str]) -> list[UnusedImage]:
    """Return the bundles that are not in `used`, by name."""
    kept = {Path(each).resolve() for each in used}
    found = [each for each in sorted(bundles_dir.glob("[!.]*")) if each.resolve() not in kept]
    return [UnusedImage(str(each), _size_bytes(each)) for each in found]


def remove_bundles(bundles_dir: Path, bundles: Collection[str]) -> None:
    """Delete bundles, and what interrupted copies and deletions have left."""
    for bundle in bundles:
        # Renamed first: a bundle is there whole or not at all.
        with contextlib.suppress(FileNotFoundError):
            Path(bundle).rename(bundles_dir / f"{_DOOMED}{Path(bundle).name}")
    for doomed in bundles_dir.glob(f"{_DOOMED}*"):
        shutil.rmtree(doomed, ignore_errors=True)


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder))


def _copy(source: Path, description: bytes, target: Path) -> None:
    """Copy into a temporary directory beside, and rename: a bundle exists whole or not at all."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as temporary:
        content = Path(temporary) / "bundle"
        shutil.copytree(source, content / "model")
        (content / "bundle.json").write_bytes(description)
        private_files.close_to_others(content)
        try:
            content.rename(target)
        except OSError:
            # Another process has built the same meanwhile.
            if not target.exists():
                raise


def _content_digest(folder: Path, description: bytes) -> str:
    digest = hashlib.sha256(description)
    for path in _files(folder):
        digest.update(f"\0{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()[:24]


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files below `folder` in a fixed order, following links as the copy does."""
    for directory, names, files in os.walk(folder, followlinks=True):
        names.sort()
        yield from (Path(directory) / name for name in sorted(files))

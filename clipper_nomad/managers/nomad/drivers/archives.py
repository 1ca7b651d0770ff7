"""A model as an archive that nodes fetch, for the drivers that run no images.

An archive has `model/`, the model's folder, and `packages/`, which pip installed for it.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.parse import quote, urlsplit

from clipper_nomad.errors import BuildError
from clipper_nomad.images.context import Context
from clipper_nomad.managers.nomad.drivers.pip_cache import PackageCache
from clipper_nomad.types import BuildSpec

#: Higher levels are not worth their time on multi-gigabyte archives.
_GZIP_LEVEL = 6
_END_OF_TAR = bytes(1024)
_NAME_DIGITS = 16


@dataclass(frozen=True)
class ArtifactStore:
    """A local folder, and the URL from which Nomad's clients fetch its files."""

    directory: Path
    url: str

    @classmethod
    def parse(cls, artifact_dir: str | Path | None, artifact_url: str | None) -> ArtifactStore:
        """Return the store of these settings. Raises BuildError that names the wrong one."""
        if artifact_dir is None or not artifact_url:
            missing = " and ".join(
                name
                for name, value in (("artifact_dir", artifact_dir), ("artifact_url", artifact_url))
                if not value
            )
            raise BuildError(
                f"Cannot build a model for this driver without {missing}: set artifact_dir to a folder, "
                "and artifact_url to the http:// or https:// address of that folder for Nomad's clients."
            )
        parts = urlsplit(artifact_url)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise BuildError(
                f"artifact_url is {artifact_url!r}: set it to the http:// or https:// address of the folder "
                "artifact_dir. Nomad's clients refuse file:// and take no query here."
            )
        return cls(Path(artifact_dir).expanduser(), artifact_url.rstrip("/"))


def build_archive(spec: BuildSpec, store: ArtifactStore, packages: PackageCache | None = None) -> str:
    """Write the model's archive into the store; return `<url>/<name>.tar.gz#sha256:<hex>`.

    pip installs the packages by its own configuration, for this Python version and platform, which the nodes
    must have too. An archive is named by its content and never changed or removed: nodes may fetch it again
    at any time. Raises BuildError, with pip's last lines, if a package or a file is not available.
    """
    installed = (packages or PackageCache.default()).provide(spec.pkgs_to_install)
    try:
        store.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store.directory, prefix=".new-") as file:
            _write(file, spec.model_data_path, installed)
            digest = _digest(file)
            name = f"{spec.model.name}-{spec.model.version}-{digest[:_NAME_DIGITS]}.tar.gz"
            _publish(Path(file.name), store.directory / name)
    except OSError as error:
        raise BuildError(
            f"Cannot write the archive of model version {spec.model} into {store.directory}: {error}. Set "
            "artifact_dir to a folder that you may write to, with room for it."
        ) from error
    return f"{store.url}/{quote(name)}#sha256:{digest}"


def _write(file: IO[bytes], model_folder: Path, installed: Path) -> None:
    """Write an archive of two gzip members: the packages, packed once for all models, and the model."""
    with installed.open("rb") as packed:
        shutil.copyfileobj(packed, file)
    with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as member:
        Context(cast("IO[bytes]", member)).add_folder("model", model_folder)
        member.write(_END_OF_TAR)
    file.flush()


def _digest(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _publish(written: Path, target: Path) -> None:
    """Give the archive its name atomically, readable by the web server."""
    if not target.exists():
        written.chmod(0o644)
        # A link, since the temporary file is removed by the function that opened it.
        target.hardlink_to(written)

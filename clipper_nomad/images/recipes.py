"""Dockerfiles and the files beside them, found in the installed package or in a checkout."""

from __future__ import annotations

from importlib.metadata import metadata
from pathlib import Path

from clipper_nomad.errors import BuildError
from clipper_nomad.images.names import project_version
from clipper_nomad.images.settings import ImageSettings

_PACKAGE = Path(__file__).parents[1]
#: A wheel has them inside the package, a checkout beside it.
_FOLDERS = (_PACKAGE / "_containers", _PACKAGE.parent / "containers")


def read_recipe(name: str) -> bytes:
    """Return a file of `containers/`, such as `redis/Dockerfile`."""
    return find_recipe(name).read_bytes()


def find_recipe(name: str) -> Path:
    """Return the path of a file of `containers/`."""
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise BuildError(
        f"Could not find a file of this project: {name} is neither in {_FOLDERS[0]} nor in {_FOLDERS[1]}. "
        "Install clipper-nomad again: its wheel brings it."
    )


def installer_files(requirements: bytes, settings: ImageSettings) -> dict[str, bytes]:
    """Return the files of `installer/`, which installs `requirements` in an image's first stage."""
    files = {
        "installer/install.py": read_recipe("installer/install.py"),
        "installer/requirements.txt": requirements,
    }
    if certificates := _read_certificates(settings.ca_certificates):
        files["installer/ca-certificates.pem"] = certificates
    return files


def source_label() -> str:
    """Return this project's source address from its distribution, else a package URL."""
    for entry in metadata("clipper-nomad").get_all("Project-URL") or ():
        label, _, url = str(entry).partition(", ")
        if label.lower() in ("source", "repository", "homepage"):
            return url
    return f"pkg:pypi/clipper-nomad@{project_version()}"


def _read_certificates(paths: tuple[Path, ...]) -> bytes:
    try:
        return b"\n".join(path.expanduser().read_bytes() for path in paths)
    except OSError as error:
        raise BuildError(f"Could not read the certificates of ca_certificates: {error}") from error

"""Wheels of this project's own packages, made from the files that are installed here.

So an image holds the code that runs here, installed or a checkout, and no index is asked for it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from clipper_nomad.errors import BuildError

_WHEEL = "Wheel-Version: 1.0\nGenerator: clipper-nomad\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
#: The earliest time that a zip can hold: the same files make the same wheel.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Wheel:
    """A wheel: its file name and content."""

    name: str
    content: bytes


def runtime_wheel() -> Wheel:
    """Return the model runtime's wheel, with its distribution's requirements."""
    found = _find_distribution("clipper-container")
    return _make_wheel(
        found.version, "clipper_container", ["clipper_container"], found.read_text("METADATA") or ""
    )


def frontend_wheel() -> Wheel:
    """Return a wheel of the frontends and the runtime's modules that they share.

    It has the project's name, from which the frontends read their version, but no requirements: an image
    installs its lock file, and so nothing that only the admin library needs.
    """
    found = _find_distribution("clipper-nomad")
    metadata = f"Metadata-Version: 2.1\nName: clipper-nomad\nVersion: {found.version}\n"
    scripts = [
        f"{script.name} = {script.value}"
        for script in found.entry_points.select(group="console_scripts")
        if script.module.startswith("clipper_frontend.")
    ]
    packages = ["clipper_frontend", "clipper_container"]
    return _make_wheel(found.version, "clipper_nomad", packages, metadata, sorted(scripts))


def _find_distribution(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise BuildError(
            f"Could not build images: {name} is not installed here. Install it with pip."
        ) from error


def _make_wheel(
    version: str, name: str, packages: Sequence[str], metadata: str, scripts: Sequence[str] = ()
) -> Wheel:
    info = f"{name}-{version}.dist-info"
    files = {path: content for package in packages for path, content in _package_files(package)}
    files[f"{info}/METADATA"] = metadata.encode()
    files[f"{info}/WHEEL"] = _WHEEL.encode()
    if scripts:
        files[f"{info}/entry_points.txt"] = "\n".join(["[console_scripts]", *scripts, ""]).encode()
    record = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            member = zipfile.ZipInfo(path, _TIME)
            member.external_attr = 0o644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return Wheel(f"{name}-{version}-py3-none-any.whl", buffer.getvalue())


def _package_files(package: str) -> Iterator[tuple[str, bytes]]:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(f"Could not build images: the package {package} is not installed here.")
    folder = Path(spec.submodule_search_locations[0])
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

"""Names of images."""

from __future__ import annotations

from importlib.metadata import version

from clipper_nomad.images.settings import ImageSettings
from clipper_nomad.types import ModelVersion

PYTHON_RUNTIME = "python-runtime"

#: This project's own images.
COMPONENTS = ("query-frontend", "management-frontend", "redis", PYTHON_RUNTIME)


def project_version() -> str:
    """Return this project's version, which is the tag of its images."""
    return version("clipper-nomad")


def component_image(component: str, settings: ImageSettings) -> str:
    """Return the reference of `query-frontend`, `management-frontend`, `redis` or `python-runtime`."""
    # Only the runtime's Python version matters.
    suffix = f"-py{settings.python_version}" if component == PYTHON_RUNTIME else ""
    # `+`, as in 1.0+local, is not allowed in a tag.
    tag = project_version().replace("+", "-")
    return f"{_prefix(settings.registry)}clipper-nomad-{component}:{tag}{suffix}"


def model_image(model: ModelVersion, cluster_name: str, registry: str | None) -> str:
    """Return the reference of a model version's image, which is Clipper's name for it."""
    return f"{_prefix(registry)}{cluster_name}-{model.name}:{model.version}"


def split_reference(reference: str) -> tuple[str, str]:
    """Return a reference's repository and tag; the tag is `latest` if there is none."""
    repository, separator, tag = reference.rpartition(":")
    # A colon before a slash is a registry's port.
    if not separator or "/" in tag:
        return reference, "latest"
    return repository, tag


def registry_of(reference: str) -> str | None:
    """Return the registry that a reference names; None is the public one."""
    first, separator, _ = reference.partition("/")
    return first if separator and (set(first) & set(".:") or first == "localhost") else None


def _prefix(registry: str | None) -> str:
    return f"{registry}/" if registry else ""

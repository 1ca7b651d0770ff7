"""This project's own images: the frontends, Redis and the Python model runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import docker

from clipper_nomad.errors import ClipperException
from clipper_nomad.images import recipes
from clipper_nomad.images.builder import BuildRequest, run_build
from clipper_nomad.images.context import new_context
from clipper_nomad.images.engine import Progress, log_progress
from clipper_nomad.images.names import COMPONENTS, PYTHON_RUNTIME, component_image, project_version
from clipper_nomad.images.pythons import require_base
from clipper_nomad.images.registries import push_image
from clipper_nomad.images.settings import ImageSettings
from clipper_nomad.images.wheels import Wheel, frontend_wheel, runtime_wheel

_WHEELS: Mapping[str, Callable[[], Wheel]] = {
    "query-frontend": frontend_wheel,
    "management-frontend": frontend_wheel,
    PYTHON_RUNTIME: runtime_wheel,
}


def build_component_images(
    client: docker.DockerClient,
    settings: ImageSettings,
    *,
    push: bool = False,
    progress: Progress = log_progress,
    components: Iterable[str] = COMPONENTS,
) -> dict[str, str]:
    """Build this project's images, and with `push` push them; return their references by component.

    Raises BuildError; if the base image cannot be found or has another Python, before anything is built.
    """
    if push and not settings.registry:
        raise ClipperException("Could not push: no registry is set. Give one as `registry` (--registry).")
    wanted = tuple(components)
    if unknown := set(wanted) - set(COMPONENTS):
        raise ClipperException(
            f"{sorted(unknown)[0]!r} is not one of this project's images: use {', '.join(COMPONENTS)}."
        )
    base = require_base(client, settings, progress)
    built = {component: _build(client, component, base, settings, progress) for component in wanted}
    if push:
        for reference in built.values():
            push_image(client, reference, settings, progress)
    return built


def component_files(component: str, settings: ImageSettings) -> dict[str, bytes]:
    """Return the files of a component's build context."""
    files = {"Dockerfile": recipes.read_recipe(f"{component}/Dockerfile")}
    if make_wheel := _WHEELS.get(component):
        wheel = make_wheel()
        files |= recipes.installer_files(recipes.read_recipe(f"{component}/requirements.txt"), settings)
        files["health.py"] = recipes.read_recipe("health.py")
        files[f"wheels/{wheel.name}"] = wheel.content
    return files


def _build(
    client: docker.DockerClient, component: str, base: str, settings: ImageSettings, progress: Progress
) -> str:
    reference = component_image(component, settings)
    progress(f"Building {reference}")
    args = {
        "PYTHON_VERSION": settings.python_version,
        "VERSION": project_version(),
        "SOURCE": recipes.source_label(),
    }
    with new_context() as context:
        context.add_files(component_files(component, settings))
        run_build(client, BuildRequest(reference, base, context.finish(), args), settings, progress)
    return reference

"""A model's image: its folder and its packages on a runtime."""

from __future__ import annotations

from dataclasses import dataclass

import docker

from clipper_nomad.errors import BuildError
from clipper_nomad.images import recipes
from clipper_nomad.images.builder import BuildRequest, run_build
from clipper_nomad.images.clippers import find_clippers_python, find_saved_by, require_same_python
from clipper_nomad.images.context import new_context
from clipper_nomad.images.cpu_builds import advise_cpu_builds
from clipper_nomad.images.engine import EngineError, Progress, log_progress
from clipper_nomad.images.names import PYTHON_RUNTIME, component_image, model_image, project_version
from clipper_nomad.images.pruning import CLUSTER_LABEL
from clipper_nomad.images.pythons import ask_python, runtime_python
from clipper_nomad.images.registries import push_image, resolve_image
from clipper_nomad.images.settings import ImageSettings
from clipper_nomad.types import BuildSpec

#: The name that Clipper's scripts use for the library's own choice of an image.
_DEFAULT_BASE = "default"
_ADVICE = (
    "Name a version of it that the index has in pkgs_to_install, which overrides the version recorded here."
)


@dataclass(frozen=True)
class _Base:
    """The base of a model's image, and the minor version of the Python runtime in it, if there is one."""

    reference: str
    image_id: str
    python: str | None


def build_model_image(
    client: docker.DockerClient,
    spec: BuildSpec,
    cluster_name: str,
    settings: ImageSettings,
    progress: Progress = log_progress,
) -> str:
    """Build `[<registry>/]<cluster>-<name>:<version>`, push it if there is a registry, return its reference.

    That is `<repository>@<digest>` of the pushed image, else the image's id, since a tag may move. The
    registry is `spec.container_registry`, else the settings'. Raises ContainerManagerError if the base image
    cannot be found, and BuildError with the builder's last lines or the registry's answer.
    """
    registry = spec.container_registry or settings.registry
    reference = model_image(spec.model, cluster_name, registry)
    base = _find_base(client, spec, settings, progress)
    for line in advise_cpu_builds(spec.pkgs_to_install, settings.extra_index_urls):
        progress(line)
    progress(f"Building {reference}")
    labels = {
        "org.opencontainers.image.title": f"{cluster_name}-{spec.model.name}",
        "org.opencontainers.image.version": spec.model.version,
        "org.opencontainers.image.base.name": base.reference,
        CLUSTER_LABEL: cluster_name,
    }
    with new_context() as context:
        context.add_files(_recipe_files(spec, base, settings))
        context.add_folder("model", spec.model_data_path)
        request = BuildRequest(reference, base.image_id, context.finish(), labels=labels, advice=_ADVICE)
        image_id = run_build(client, request, settings, progress)
    return push_image(client, reference, settings, progress) if registry else image_id


def _find_base(
    client: docker.DockerClient, spec: BuildSpec, settings: ImageSettings, progress: Progress
) -> _Base:
    own = spec.base_image == _DEFAULT_BASE
    # Before anything is pulled.
    require_same_python(spec, find_clippers_python(spec.base_image))
    reference = component_image(PYTHON_RUNTIME, settings) if own else spec.base_image
    image_id = resolve_image(client, reference, settings, progress)
    try:
        base = _Base(reference, image_id, runtime_python(client, image_id))
        if not base.python and find_saved_by(spec.model_data_path):
            require_same_python(spec, ask_python(client, image_id))
    except EngineError as error:
        raise BuildError(
            f"Could not build model version {spec.model} on image {reference}: {error}"
        ) from error
    if base.python != settings.python_version and (own or base.python):
        raise BuildError(
            f"Could not build model version {spec.model}: its base image {reference} has the runtime of "
            f"Python {base.python}, but the model needs Python {settings.python_version}. "
            f"`clipper-nomad images build --python-version {settings.python_version}` builds the right one."
        )
    if spec.pkgs_to_install and not base.python:
        raise BuildError(
            f"Could not install {', '.join(spec.pkgs_to_install)} for model version {spec.model}: its base "
            f"image {reference} does not start from this project's Python runtime. Use an image that does, "
            "or one that holds these packages already, without pkgs_to_install."
        )
    return base


def _recipe_files(spec: BuildSpec, base: _Base, settings: ImageSettings) -> dict[str, bytes]:
    if not base.python:
        return {"Dockerfile": recipes.read_recipe("model/folder.Dockerfile")}
    requirements = render_requirements(spec.pkgs_to_install)
    return {
        "Dockerfile": recipes.read_recipe("model/python.Dockerfile"),
        **recipes.installer_files(requirements, settings),
    }


def render_requirements(packages: tuple[str, ...]) -> bytes:
    """Return the requirements that pip installs for a model; empty if no package is named.

    The runtime, which is installed already, is among them, so that pip takes nothing that conflicts with it.
    Raises BuildError for options of pip.
    """
    for package in packages:
        if package.strip().startswith("-") or "\n" in package:
            raise BuildError(
                f"Could not install {package!r}: pkgs_to_install takes requirements, not options of pip. The "
                "index and its credentials are settings of ImageSettings."
            )
    if not packages:
        return b""
    lines = {package.strip() for package in packages} | {f"clipper-container=={project_version()}"}
    return "".join(f"{line}\n" for line in sorted(lines)).encode()

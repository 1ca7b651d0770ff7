"""A model's image: its folder and its packages on a runtime.

Owns which recipe is used and what is checked before it is. Never looks at what the model's folder holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import docker

from clipper_nomad.errors import BuildError
from clipper_nomad.images import recipes
from clipper_nomad.images.builder import BuildRequest, run_build
from clipper_nomad.images.context import new_context
from clipper_nomad.images.engine import EngineError, Progress, log_progress
from clipper_nomad.images.names import PYTHON_RUNTIME, component_image, model_image, project_version
from clipper_nomad.images.pythons import runtime_python
from clipper_nomad.images.registries import push_image, resolve_image
from clipper_nomad.images.settings import ImageSettings
from clipper_nomad.types import BuildSpec

# What Clipper's scripts call the image that the library chooses itself.
_DEFAULT_BASE = "default"
_ADVICE = (
    "Name a version of it that the index has in pkgs_to_install, which comes before what was recorded here."
)


@dataclass(frozen=True)
class _Base:
    """What a model's image starts from: an image, and which Python runtime is in it, if that is."""

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
    """Build `[<registry>/]<cluster>-<name>:<version>`, push it where there is a registry; return what runs.

    That is `<repository>@<digest>` of what was pushed, else the image's id: a tag may move. The registry is
    `spec.container_registry`, else the settings'. Raises ContainerManagerError when the base image is nowhere
    to be found, and BuildError with the builder's last lines, or what the registry said.
    """
    registry = spec.container_registry or settings.registry
    reference = model_image(spec.model, cluster_name, registry)
    base = _find_base(client, spec, settings, progress)
    progress(f"Building {reference}")
    labels = {
        "org.opencontainers.image.title": f"{cluster_name}-{spec.model.name}",
        "org.opencontainers.image.version": spec.model.version,
        "org.opencontainers.image.base.name": base.reference,
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
    reference = component_image(PYTHON_RUNTIME, settings) if own else spec.base_image
    image_id = resolve_image(client, reference, settings, progress)
    try:
        base = _Base(reference, image_id, runtime_python(client, image_id))
    except EngineError as error:
        raise BuildError(f"Cannot build model version {spec.model} on image {reference}: {error}") from error
    if base.python != settings.python_version and (own or base.python):
        raise BuildError(
            f"Cannot build model version {spec.model}: its base image {reference} has the runtime of Python "
            f"{base.python}, and the model is of Python {settings.python_version}, which alone can load it. "
            f"`clipper-nomad images build --python-version {settings.python_version}` makes the image for it."
        )
    if spec.pkgs_to_install and not base.python:
        raise BuildError(
            f"Cannot install {', '.join(spec.pkgs_to_install)} for model version {spec.model}: its base "
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
    """Return what pip installs for a model; nothing where no package is named.

    The runtime itself is among them: it is there already, and so pip takes nothing that it cannot run with.
    Raises BuildError for pip's own options.
    """
    for package in packages:
        if package.strip().startswith("-") or "\n" in package:
            raise BuildError(
                f"Cannot install {package!r}: pkgs_to_install takes requirements, not options of pip. The "
                "index and its credentials are settings of ImageSettings."
            )
    if not packages:
        return b""
    lines = {package.strip() for package in packages} | {f"clipper-container=={project_version()}"}
    return "".join(f"{line}\n" for line in sorted(lines)).encode()

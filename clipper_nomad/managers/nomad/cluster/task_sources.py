"""The images or archives that a cluster's tasks run: found by name, or built.

Image names are made immutable, which may ask a Docker engine.
"""

from __future__ import annotations

from collections.abc import Collection

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.images import (
    build_model_image,
    component_image,
    connect_engine,
    is_pinned,
    pin_image,
    prune_model_images,
)
from clipper_nomad.jobspecs import meta
from clipper_nomad.managers.nomad.cluster.definitions import ComponentImages
from clipper_nomad.managers.nomad.drivers.archives import ArtifactStore, build_archive
from clipper_nomad.managers.nomad.settings import NomadSettings
from clipper_nomad.types import BuildSpec, ClusterSpec, UnusedImage


class TaskSources:
    """Finds and builds the images or archives of one cluster, by its driver."""

    def __init__(self, cluster_name: str, settings: NomadSettings) -> None:
        self._cluster_name = cluster_name
        self._settings = settings

    @property
    def _runs_images(self) -> bool:
        return self._settings.driver.name == "docker"

    def of_components(self, spec: ClusterSpec) -> ComponentImages:
        """Return the images of Redis and the frontends. Raises ContainerManagerError if one is not found."""
        if not self._runs_images:
            return ComponentImages()
        return ComponentImages(
            redis=self._pin(self._settings.redis_image or self._default(meta.REDIS)),
            query_frontend=self._pin(spec.query_frontend_image or self._default(meta.QUERY_FRONTEND)),
            management_frontend=self._pin(
                spec.management_frontend_image or self._default(meta.MANAGEMENT_FRONTEND)
            ),
        )

    def of_model(self, image: str) -> str:
        """Return the source of a model version, given what build() returned or any image's name."""
        return self._pin(image) if self._runs_images else image

    def build(self, spec: BuildSpec) -> str:
        """Build a model's image, pushed if a registry is set, or its archive."""
        settings = self._settings
        if self._runs_images:
            return build_model_image(connect_engine(), spec, self._cluster_name, settings.images)
        return build_archive(spec, ArtifactStore.parse(settings.artifact_dir, settings.artifact_url))

    def prune(self, used: Collection[str], *, dry_run: bool) -> list[UnusedImage]:
        """Remove the images on this machine's engine that were built for the cluster, but for `used`.

        Raises ContainerManagerError for archives: those of all clusters are in one folder, unmarked.
        """
        if self._runs_images:
            return prune_model_images(connect_engine(), self._cluster_name, used, dry_run=dry_run)
        raise ContainerManagerError(
            f"Cannot tell which archives in {self._settings.artifact_dir} are used: other clusters may share "
            "the folder, and nodes may fetch an archive again at any time. Remove old ones yourself; their "
            "names begin with the model's name and version."
        )

    def _default(self, component: str) -> str:
        return component_image(component, self._settings.images)

    def _pin(self, reference: str) -> str:
        if is_pinned(reference):
            return reference
        try:
            client = connect_engine()
        except ContainerManagerError as error:
            raise ContainerManagerError(
                f"Cannot look up the image {reference}, so that all nodes run the same one: {error.msg} Or "
                "name it by its digest, <repository>@sha256:<hex>."
            ) from error
        return pin_image(client, reference, self._settings.images)

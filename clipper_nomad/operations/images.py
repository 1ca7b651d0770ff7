"""Images of models that no version needs any more: removed with their version, or all at once."""

from __future__ import annotations

import logging
from collections.abc import Collection

from clipper_nomad.management import ManagementClient
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.types import ModelVersion, UnusedImage

logger = logging.getLogger("clipper")


class Images:
    """The images of one cluster's models. A registered version keeps its image, deployed or not."""

    def __init__(self, manager: ContainerManager, management: ManagementClient) -> None:
        self._manager = manager
        self._management = management

    def find_registered(self) -> dict[ModelVersion, str]:
        """Return the image of each registered version."""
        return {
            ModelVersion(each["model_name"], each["model_version"]): each["container_name"]
            for each in self._management.describe_models()
        }

    def release(self, images: Collection[str]) -> None:
        """Let the manager remove the images of versions that are stopped, but for those still registered."""
        if unused := set(images) - set(self.find_registered().values()):
            self._manager.release_images(unused)

    def prune(self, *, dry_run: bool) -> list[UnusedImage]:
        """Remove the images of versions that are neither registered nor deployed; return them."""
        found = self._manager.prune_images(set(self.find_registered().values()), dry_run=dry_run)
        for each in found if not dry_run else ():
            logger.info("Removed the image %s", each.name)
        return found

"""Images of this project and of models: build context -> image -> registry. Managers run them."""

from clipper_nomad.images.components import build_component_images
from clipper_nomad.images.engine import Progress, connect_engine, is_noise
from clipper_nomad.images.models import build_model_image
from clipper_nomad.images.names import COMPONENTS, component_image, model_image, project_version
from clipper_nomad.images.pins import is_pinned, pin_image
from clipper_nomad.images.pruning import prune_model_images
from clipper_nomad.images.registries import find_image, push_image, resolve_image
from clipper_nomad.images.settings import ImageSettings

__all__ = [
    "COMPONENTS",
    "ImageSettings",
    "Progress",
    "build_component_images",
    "build_model_image",
    "component_image",
    "connect_engine",
    "find_image",
    "is_noise",
    "is_pinned",
    "model_image",
    "pin_image",
    "project_version",
    "prune_model_images",
    "push_image",
    "resolve_image",
]

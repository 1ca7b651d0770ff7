"""The Docker manager: a cluster as containers on one Docker engine."""

from clipper_nomad.managers.docker.manager import DockerContainerManager

__all__ = ["DockerContainerManager"]

"""The local manager: a cluster as processes of this machine, kept by supervisord."""

from clipper_nomad.managers.local.manager import LocalContainerManager

__all__ = ["LocalContainerManager"]

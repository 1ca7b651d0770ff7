"""The contract between jobspecs and task drivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from clipper_nomad.jobspecs.hcl import Value


@dataclass(frozen=True)
class Component:
    """A component to run: its name, its source, and further arguments of its process.

    `source` is an image; for drivers without images, it is `<url>#sha256:<hex>` for a model, else empty.
    """

    name: str
    source: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """An archive that Nomad fetches, checks and unpacks in the task's `local` folder."""

    source: str
    checksum: str


@dataclass(frozen=True)
class Program:
    """A component in a driver's words. `Interpolated` text is Nomad's to fill in, all else is plain.

    `ports` has the port inside the task for each label; a missing label listens on the host's port.
    """

    config: Mapping[str, Value]
    ports: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()


class Driver(Protocol):
    """A task driver: its name in Nomad, and how it runs a component."""

    @property
    def name(self) -> str:
        """Return Nomad's name of the driver."""

    @property
    def mounts_volumes(self) -> bool:
        """Return whether a task sees a volume at the path where it is mounted."""

    def program(self, component: Component) -> Program:
        """Return how `component` runs. Raises ContainerManagerError if the driver cannot run its source."""

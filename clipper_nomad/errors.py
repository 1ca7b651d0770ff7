"""The exceptions of the admin library. Those of other libraries are translated where they are met.

ClipperException
├── UnconnectedException        connect() or start_clipper() must be called first
├── ManagementError             the management frontend refused a call
│   └── NotReachableError       a frontend did not answer at all
├── DeploymentError             a model's replicas did not become ready
├── BuildError                  an image could not be built or pushed
├── ContainerManagerError       the platform that runs the cluster refused or failed
│   └── NotRunningError         there is no such cluster, or it does not run
└── MetricError                 a metric of model code cannot be added or reported (clipper_container.metrics)

ClipperWarning (a UserWarning)  an argument of Clipper's that has no effect here
"""

from __future__ import annotations

from clipper_container.errors import ClipperException

__all__ = [
    "BuildError",
    "ClipperException",
    "ClipperWarning",
    "ContainerManagerError",
    "DeploymentError",
    "ManagementError",
    "NotReachableError",
    "NotRunningError",
    "UnconnectedException",
]


class UnconnectedException(ClipperException):
    """A call needs a running cluster: connect() or start_clipper() comes first."""

    def __init__(self, *args: object) -> None:
        super().__init__(
            "Not connected to a Clipper cluster: call ClipperConnection.connect() for a running one, "
            "or ClipperConnection.start_clipper() for a new one.",
            *args,
        )


class ManagementError(ClipperException):
    """The management frontend refused a call; the message is its own text."""


class NotReachableError(ManagementError):
    """A frontend did not answer."""


class DeploymentError(ClipperException):
    """A model's replicas did not become ready; the message ends with the last lines of a replica's log."""


class BuildError(ClipperException):
    """An image could not be built or pushed; the message has the last lines of the build."""


class ContainerManagerError(ClipperException):
    """The platform that runs the cluster refused or failed."""


class NotRunningError(ContainerManagerError):
    """There is no such cluster, or it does not run; its state may be kept."""


class ClipperWarning(UserWarning):
    """An argument of Clipper's has no effect here; it is ignored."""

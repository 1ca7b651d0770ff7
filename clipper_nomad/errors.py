"""The exception tree of the admin library. Foreign exceptions are translated at the seams.

ClipperException
├── UnconnectedException        connect() or start_clipper() must be called first
├── ManagementError             the management frontend refused what was asked
│   └── NotReachableError       a frontend gave no answer at all
├── DeploymentError             a model's replicas did not come up
├── BuildError                  a model's folder could not be turned into what runs
└── ContainerManagerError       the place where the cluster runs refused or failed

ClipperWarning (a UserWarning)  an argument that Clipper knew and that means nothing here
"""

from __future__ import annotations


class ClipperException(Exception):
    """The root of everything that this library raises on purpose."""

    def __init__(self, msg: str, *args: object) -> None:
        self.msg = msg
        super().__init__(msg, *args)


class UnconnectedException(ClipperException):
    """A call needs a running cluster: connect() or start_clipper() comes first."""

    def __init__(self, *args: object) -> None:
        super().__init__(
            "Not connected to a Clipper cluster: call ClipperConnection.connect() for a running one, "
            "or ClipperConnection.start_clipper() for a new one.",
            *args,
        )


class ManagementError(ClipperException):
    """The management frontend refused what was asked."""


class NotReachableError(ManagementError):
    """A frontend gave no answer."""


class DeploymentError(ClipperException):
    """A model's replicas did not come up; the message ends with the last lines of a replica's log."""


class BuildError(ClipperException):
    """A model's folder could not be turned into what a container manager runs."""


class ContainerManagerError(ClipperException):
    """The place where the cluster runs refused or failed."""


class ClipperWarning(UserWarning):
    """An argument was given that Clipper knew and that means nothing here; it is passed over."""

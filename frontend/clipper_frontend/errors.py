"""What the frontends raise on purpose. Foreign exceptions are translated into these at the seams.

FrontendError
├── RegistryRefusal        what was asked of the registry cannot be done; the text is for the user
├── RegistryUnavailable    Redis gave no answer; whether a write was made is not known
├── ClusterMismatch        the Redis belongs to another cluster
├── UnreadableRecord       a value in Redis is not what this project writes
├── PolicyRefusal          a selection policy cannot be what it is configured to be; the text is for the user
└── UnfitLabel             an application's loss cannot measure a label; the text is for the user
"""

from __future__ import annotations


class FrontendError(Exception):
    """The root of everything that the frontends raise on purpose."""


class RegistryRefusal(FrontendError):  # noqa: N818 - named for what happened
    """What was asked of the registry cannot be done; the message says why, for the user."""


class RegistryUnavailable(FrontendError):  # noqa: N818 - named for what happened
    """Redis could not be reached, or did not answer in time."""


class ClusterMismatch(FrontendError):  # noqa: N818 - named for what happened
    """The Redis belongs to a cluster of another name."""


class UnreadableRecord(FrontendError):  # noqa: N818 - named for what happened
    """A hash in Redis has a field that cannot be read; the message names key and field."""

    def __init__(self, key: str, field: str, problem: str) -> None:
        super().__init__(f"{key}: field {field!r} {problem}")
        self.key = key
        self.field = field


class PolicyRefusal(FrontendError):  # noqa: N818 - named for what happened
    """A selection policy cannot be what it is configured to be; the message says what it can be."""


class UnfitLabel(FrontendError):  # noqa: N818 - named for what happened
    """An application's loss cannot measure a label; the message says which labels it can."""

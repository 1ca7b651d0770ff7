"""The frontends' own exceptions. Foreign exceptions are translated into these at the seams.

FrontendError
├── RegistryRefusal        the registry cannot carry out a call; the text is for the user
├── RegistryUnavailable    Redis gave no answer; a write may or may not have been made
│   └── RegistryReplaced   Redis holds another registry than the one that was joined
├── ClusterMismatch        the Redis belongs to another cluster
├── UnreadableRecord       a value in Redis is not one that this project writes
├── PolicyRefusal          a selection policy cannot have its configuration; the text is for the user
└── UnfitLabel             an application's loss cannot measure a label; the text is for the user
"""

from __future__ import annotations


class FrontendError(Exception):
    """The root of the frontends' own exceptions."""


class RegistryRefusal(FrontendError):  # noqa: N818 - named for what happened
    """The registry cannot carry out a call; the message explains it to the user."""


class RegistryUnavailable(FrontendError):  # noqa: N818 - named for what happened
    """Redis cannot be reached, or did not answer in time."""


class RegistryReplaced(RegistryUnavailable):
    """Redis holds another registry than the one that this process joined: the old one was lost."""


class ClusterMismatch(FrontendError):  # noqa: N818 - named for what happened
    """The Redis belongs to a cluster of another name."""


class UnreadableRecord(FrontendError):  # noqa: N818 - named for what happened
    """A hash in Redis has a field that cannot be read; the message names key and field."""

    def __init__(self, key: str, field: str, problem: str) -> None:
        super().__init__(f"{key}: field {field!r} {problem}")
        self.key = key
        self.field = field


class PolicyRefusal(FrontendError):  # noqa: N818 - named for what happened
    """A selection policy cannot have its configuration; the message names the possible choices."""


class UnfitLabel(FrontendError):  # noqa: N818 - named for what happened
    """An application's loss cannot measure a label; the message describes the labels that it can."""

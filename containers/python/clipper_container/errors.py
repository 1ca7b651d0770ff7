"""The root of all exceptions that users of the runtime and of the admin library catch."""

from __future__ import annotations


class ClipperException(Exception):  # noqa: N818 - Clipper's name
    """The root of all exceptions that this project raises on purpose for its users.

    Its text is `msg`, and also `message`, as in Clipper's UnconnectedException.
    """

    def __init__(self, msg: str, *args: object) -> None:
        self.msg = self.message = msg
        super().__init__(msg, *args)

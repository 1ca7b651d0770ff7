"""The memory of request bodies: a bound on all of them together."""

from __future__ import annotations


class BodyBudget:
    """The bytes of the bodies that are being received, or belong to requests without an answer.

    A body counts if it came in several segments, or grew when it was decompressed. Others are no larger than
    a segment, and are bounded by the requests that a connection may have unanswered.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0

    def take(self, count: int) -> bool:
        """Count bytes that have come; return False, and count nothing, if they are too many."""
        if self.used_bytes + count > self.max_bytes:
            return False
        self.used_bytes += count
        return True

    def add(self, count: int) -> None:
        """Count the last bytes of a body, of which the others were taken."""
        self.used_bytes += count

    def give(self, count: int) -> None:
        """Forget bytes that were counted."""
        self.used_bytes -= count

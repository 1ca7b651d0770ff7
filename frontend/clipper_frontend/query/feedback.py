"""What was selected and answered, by query id, until feedback comes for it. No I/O; time is an argument.

Owns that feedback counts once: an answer is taken, and then either used up or put back. Bounded in bytes and
in lifetime: the oldest half is dropped when the younger half is full, or old enough.
"""

from __future__ import annotations

import enum

from clipper_frontend.query.learner import Learner
from clipper_frontend.selection.contract import Selection


class Answered:
    """What a query was answered with: `outputs` are JSON by index of the arm.

    None says that the arm was asked and gave none. Outputs that come after the answer (of stragglers and
    shadows) may still be added. `user` is the query's user id as text, or None.
    """

    __slots__ = ("learner", "outputs", "selection", "user")

    def __init__(
        self, learner: Learner, selection: Selection, outputs: dict[int, bytes | None], user: str | None
    ) -> None:
        self.learner = learner
        self.selection = selection
        self.outputs = outputs
        self.user = user


class Gone(enum.Enum):
    """Why there is no answer to take."""

    #: Feedback for it was counted.
    USED = "used"
    #: Feedback for it is being counted: how that ends is not known yet.
    TAKEN = "taken"
    #: It was never here, or is too old.
    FORGOTTEN = "forgotten"


class FeedbackMemory:
    """The answers of one query frontend that feedback may still come for.

    `max_bytes` bounds it (0 remembers nothing), and nothing is kept longer than `lifetime_s`.
    """

    def __init__(self, max_bytes: int, lifetime_s: float) -> None:
        raise NotImplementedError

    def remember(self, query_id: int, answered: Answered, now: float) -> None:
        """Keep what a query was answered with; `now` is in seconds of the monotonic clock."""
        raise NotImplementedError

    def take(self, query_id: int) -> Answered | Gone:
        """Take an answer, for its feedback to be counted: use_up() or put_back() must follow."""
        raise NotImplementedError

    def use_up(self, query_id: int) -> None:
        """Note that the feedback for a taken answer was counted."""
        raise NotImplementedError

    def put_back(self, query_id: int, answered: Answered) -> None:
        """Let feedback come again for a taken answer: this one was not counted."""
        raise NotImplementedError

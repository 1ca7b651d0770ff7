"""The update call: feedback in, increments to Redis, an answer when they are there.

Owns what each kind of feedback is answered, and with which of its two forms: by `query_id`, exactly once, or
Clipper's (uid, input, label), at least once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from clipper_frontend.query.application import Application
from clipper_frontend.query.exchange import Exchange
from clipper_frontend.selection.contract import Selection


class Outputs(Protocol):
    """Where the outputs for an input come from that no query is known of: cache first, then the models."""

    def gather(
        self,
        application: Application,
        selection: Selection,
        payload: bytes,
        done: Callable[[Mapping[int, bytes | None]], None],
    ) -> None:
        """Call `done`, now or within the SLO, with the outputs of `selection.asked`, None for failures."""


class UpdateHandler:
    """Answers POST /<application>/update, and POST /feedback on the admin port."""

    def update(self, application: Application, exchange: Exchange) -> None:
        """Answer an update call of a client."""
        raise NotImplementedError

    def handed_over(self, exchange: Exchange) -> None:
        """Answer POST /feedback: feedback that came to another query frontend, for answers of this one."""
        raise NotImplementedError

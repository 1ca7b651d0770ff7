"""Queries of applications with a policy, which selects their models and combines outputs. No I/O, no clock.

A query for one model goes to `serving`, which remembers the selection. A query for several models is gathered
here: each arm is asked through `predictions`, and the policy combines what came in time.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from clipper_frontend.query.bodies.answers import DefaultReason, render_answer, render_late_answer
from clipper_frontend.query.serving.application import Application
from clipper_frontend.query.serving.gathering import ArmWaiter, Gathering
from clipper_frontend.query.serving.query import Reply, Work
from clipper_frontend.query.serving.serving import Serving
from clipper_frontend.selection.contract import Outputs, Selection


class Selecting:
    """Selection by policies; `draw` returns random numbers in [0, 1)."""

    def __init__(self, serving: Serving, draw: Callable[[], float] = random.random) -> None:
        self._serving = serving
        self._draw = draw

    def select(
        self,
        application: Application,
        user: str | None,
        payload: bytes,
        reply: Reply,
        now: float,
        waited_s: float = 0.0,
    ) -> None:
        """Answer one input by the models that the application's policy selects for a user.

        The query could have been read `waited_s` ago, and its time began then.
        """
        selection = application.selector(user).select(user, self._draw)
        only = selection.only
        arms = application.arm_statistics
        selected = selection, user
        if only is not None and not selection.shadows:
            arms[only].chosen += 1
            self._serving.submit(
                application, application.targets[only], payload, reply, now, selected, waited_s
            )
            return
        application.statistics.queries += 1
        for index in selection.asked:
            arms[index].chosen += 1
        for index in selection.shadows:
            arms[index].shadowed += 1
        query_id = self._serving.next_query_id()
        arrived_at = now - waited_s
        self._gather(
            Gathering(self._serving, application, query_id, arrived_at, reply, selected, self._answer),
            payload,
            now,
        )

    def collect(
        self,
        application: Application,
        selection: Selection,
        payload: bytes,
        now: float,
        done: Callable[[Outputs], None],
    ) -> None:
        """Get the outputs of several models for one input, without a client.

        `done` is called once: perhaps at once, and at the latest when a query would be due. An output that
        did not come is None.
        """

        def finish(gathering: Gathering, now: float) -> None:  # noqa: ARG001 (Gathering's signature)
            self._serving.deadlines.remove(gathering)
            gathering.deadline = -1.0
            done({index: gathering.outputs.get(index) for index in selection.asked})

        query_id, selected = self._serving.next_query_id(), (selection, None)
        self._gather(
            Gathering(self._serving, application, query_id, now, _NO_CLIENT, selected, finish), payload, now
        )

    def _gather(self, gathering: Gathering, payload: bytes, now: float) -> None:
        for index in gathering.selection.asked:
            self._ask(gathering, index, payload, now)
        for index in gathering.selection.shadows:
            self._ask(gathering, index, payload, now)
        if gathering.deadline >= 0:
            self._serving.keep_deadline(gathering)

    def _ask(self, gathering: Gathering, index: int, payload: bytes, now: float) -> None:
        target = gathering.application.targets[index]
        if target is None:
            detail = gathering.application.why_no_model(index)
            gathering.arm_missed(index, DefaultReason.NO_MODEL, detail, now)
            return
        predictions = self._serving.predictions
        key, output = predictions.find(target, payload, now)
        if output is not None:
            gathering.arm_gave(index, output, now)
        else:
            predictions.ask(target, key, payload, ArmWaiter(gathering, index), now)

    def _answer(self, gathering: Gathering, now: float) -> None:
        """Answer a query with the outputs that have come."""
        outcome = gathering.outcome()
        if outcome.output is None:
            assert outcome.reason is not None
            self._serving.answer_default(gathering, outcome.reason, outcome.detail, now, outcome.members)
            return
        self._serving.mark_answered(gathering, now)
        application = gathering.application
        late = now - gathering.arrived_at > application.late_s
        application.statistics.late_answers += late
        render = render_late_answer if late else render_answer
        gathering.reply.respond(200, render(gathering.query_id, outcome.output, outcome.members))
        gathering.remember(gathering.outputs)


class _NoClient:
    work: Work | None = None

    def respond(self, status: int, body: bytes) -> None:
        raise AssertionError(f"unexpected answer without a client: {status} {body!r}")


_NO_CLIENT = _NoClient()

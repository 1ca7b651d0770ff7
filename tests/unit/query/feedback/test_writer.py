"""The writer of feedback: each batch counts once, whatever Redis answers and however long it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from clipper_frontend.errors import RegistryUnavailable
from clipper_frontend.query.feedback import writer as module
from clipper_frontend.query.feedback.writer import FeedbackWriter
from clipper_frontend.registry.selection import Addition, StateKey

ADDITIONS = [Addition(StateKey("app", "zero_one"), 0, None, {"rounds": 1})]


class Listener:
    """Keeps what a batch was reported to be."""

    def __init__(self) -> None:
        self.outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.is_delayed = False

    def settled(self, written: bool) -> None:
        self.outcome.set_result(written)

    def delayed(self) -> None:
        self.is_delayed = True


class FakeStore:
    """Redis as it answers: `add` and `settle` are called in place of the scripts."""

    def __init__(self, add: Callable[[], bool], settle: Callable[[], bool]) -> None:
        self._add, self._settle = add, settle
        self.asked: list[tuple[str, int]] = []

    async def add_increments(self, writer: str, *_: object, sequence: int) -> bool:
        self.asked.append((writer, sequence))
        return self._add()

    async def settle_increments(self, writer: str, *, sequence: int) -> bool:
        self.asked.append((writer, sequence))
        return self._settle()


def away() -> bool:
    raise RegistryUnavailable("away")


@asynccontextmanager
async def started(store: Any) -> AsyncIterator[FeedbackWriter]:
    writer = FeedbackWriter(store, 10, lambda: None)
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()


@pytest.mark.parametrize("written", [True, False])
async def test_a_batch_without_an_answer_is_asked_about_by_its_own_number(written: bool) -> None:
    store = FakeStore(away, lambda: written)
    async with started(store) as writer:
        for _ in range(3):
            listener = Listener()
            writer.add(ADDITIONS, listener)
            assert await listener.outcome is written
            assert listener.is_delayed
    (name,) = {writer for writer, _ in store.asked}
    assert store.asked == [(name, number) for number in (1, 2, 3) for _ in range(2)]


async def test_two_writers_have_two_ids() -> None:
    names = set()
    for _ in range(2):
        store = FakeStore(lambda: True, away)
        async with started(store) as writer:
            listener = Listener()
            writer.add(ADDITIONS, listener)
            assert await listener.outcome
        names |= {writer for writer, _ in store.asked}
    assert len(names) == 2


async def test_a_batch_that_could_not_be_asked_about_for_too_long_is_given_up_and_never_counts_twice(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "SETTLE_LIMIT_S", 0.0)
    async with started(FakeStore(away, lambda: False)) as writer:
        listener = Listener()
        writer.add(ADDITIONS, listener)
        assert await listener.outcome is True
    assert "gave up 1 feedbacks" in caplog.text

"""The text of metrics, which all readers share if there are many."""

from __future__ import annotations

import gzip

from clipper_frontend.query.metrics import MetricsText


class _Made:
    """A text that takes time to make; the time passes only here."""

    def __init__(self, seconds: float) -> None:
        self.now = 100.0
        self.seconds = seconds
        self.times = 0

    def make(self) -> bytes:
        self.now += self.seconds
        self.times += 1
        return b"# %d" % self.times

    def clock(self) -> float:
        return self.now


def test_each_reader_now_and_then_gets_a_fresh_text() -> None:
    made = _Made(0.001)
    text = MetricsText(made.make, made.clock)
    for number in range(1, 100):
        assert text() == b"# %d" % number
        made.now += 1.0


def test_readers_without_end_take_a_twentieth_of_the_time_at_most() -> None:
    for seconds in (0.001, 0.1):
        made = _Made(seconds)
        text = MetricsText(made.make, made.clock)
        while made.now < 200.0:
            text()
            made.now += 0.0005
        assert made.times * seconds <= 0.05 * 100 + 0.05 + seconds
        assert made.times * seconds >= 0.04 * 100


def test_the_compressed_text_is_that_of_the_others() -> None:
    made = _Made(0.2)
    text = MetricsText(made.make, made.clock)
    assert text(compressed=True) == text(compressed=True)
    assert gzip.decompress(text(compressed=True)) == text() == b"# 1"
    made.now += 60
    assert gzip.decompress(text(compressed=True)) == b"# 2"

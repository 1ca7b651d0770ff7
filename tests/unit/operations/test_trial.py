"""The answers of test_predict_function: those of a deployed model."""

from __future__ import annotations

import base64
import datetime
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from clipper_nomad.operations.trial import try_function


def echo(xs: Any) -> list[Any]:
    return [x if isinstance(x, str) else x.tolist() for x in xs]


@pytest.mark.parametrize(
    ("query", "input_type", "outputs"),
    [
        ({"input": [1.5, 2]}, "doubles", [[1.5, 2.0]]),
        ({"input": np.array([1.5, 2.0])}, "d", [[1.5, 2.0]]),
        ({"input_batch": [[1.5], [2, 3]]}, "floats", [[1.5], [2.0, 3.0]]),
        ({"input_batch": np.array([[1, 2], [3, 4]])}, "integers", [[1, 2], [3, 4]]),
        ({"input": []}, "integers", [[]]),
        ({"input_batch": []}, "doubles", []),
        ({"input": "ä"}, "strings", ["ä"]),
        ({"input": base64.b64encode(b"\x01\xff").decode()}, "bytes", [[1, -1]]),
    ],
)
def test_inputs_reach_the_function(query: dict[str, Any], input_type: str, outputs: list[Any]) -> None:
    assert try_function(query, echo, input_type) == outputs


def test_inputs_of_one_length_come_as_a_matrix() -> None:
    assert try_function({"input_batch": [[1.0, 2.0], [3.0, 4.0]]}, lambda xs: xs.sum(axis=1), "doubles") == [
        3,
        7,
    ]


class Scores(BaseModel):
    best: float
    at: datetime.date


@pytest.mark.parametrize(
    ("returned", "answered"),
    [
        ("1.5", 1.5),
        ('{"a": 1}', {"a": 1}),
        ("text", "text"),
        ("NaN", "NaN"),
        (np.float64(2), 2.0),
        (None, None),
        (float("nan"), None),
        ({np.int64(1): [np.inf, datetime.date(2024, 1, 2)]}, {"1": [None, "2024-01-02"]}),
        (Decimal("1.50"), 1.5),
        (PurePosixPath("/a"), "/a"),
        (Scores(best=0.5, at=datetime.date(2024, 1, 2)), {"best": 0.5, "at": "2024-01-02"}),
    ],
)
def test_outputs_are_what_the_query_frontend_answers(returned: Any, answered: Any) -> None:
    assert try_function({"input": "x"}, lambda _: [returned], "strings") == [answered]


@pytest.mark.parametrize(
    ("query", "input_type"),
    [
        ({}, "doubles"),
        ({"data": [1.0]}, "doubles"),
        ({"input": [1.0], "input_batch": [[1.0]]}, "doubles"),
        ({"input_batch": 3}, "doubles"),
        ({"input": [1.0]}, "complex"),
        ({"input": 1.0}, "doubles"),
        ({"input": [[1.0], [1.0, 2.0]]}, "doubles"),
        ({"input": ["a"]}, "doubles"),
        ({"input": [True]}, "doubles"),
        ({"input": [1.5]}, "integers"),
        ({"input": [2**31]}, "integers"),
        ({"input": [1.0]}, "strings"),
        ({"input": "%"}, "bytes"),
        ({"input": [1]}, "bytes"),
    ],
)
def test_a_query_that_would_be_refused_is_told(query: dict[str, Any], input_type: str) -> None:
    answer = try_function(query, echo, input_type)
    assert isinstance(answer, str)
    assert answer.startswith("Invalid input type or JSON key: ")


@pytest.mark.parametrize(
    ("func", "message"),
    [
        (lambda _: [1, 2], "2 outputs for 1 input"),
        (lambda _: 1.0, "must return a list"),
        (lambda _: [object()], "object"),
        ((lambda lock: lambda _: [lock])(threading.Lock()), "cannot be pickled"),
    ],
)
def test_a_function_that_cannot_be_a_model_is_told(func: Callable[[Any], Any], message: str) -> None:
    answer = try_function({"input": [1.0]}, func, "doubles")
    assert isinstance(answer, str)
    assert message in answer


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        try_function({"input": [1.0]}, lambda _: 1 / 0, "doubles")


def test_the_function_runs_as_it_was_unpickled() -> None:
    seen: list[int] = []

    def remember(xs: Any) -> list[int]:
        seen.append(len(xs))
        return seen

    assert try_function({"input": [1.0]}, remember, "doubles") == [1]
    assert seen == []

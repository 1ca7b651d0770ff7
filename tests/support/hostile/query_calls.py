"""Calls of the query port: queries, feedback and what is neither, with the answers that they may get."""

from __future__ import annotations

import json
import math
import random
from typing import Any

from tests.support.hostile.http_grammar import Call, Check, any_call
from tests.support.hostile.near_json import good_value, is_surely_no_json, near_body
from tests.support.hostile.served import APPS


def any_query(rng: random.Random) -> Call:
    """Return a call of the query port."""
    kind = rng.randrange(10)
    if kind < 3:
        return any_call(rng)
    app = rng.choice(list(APPS))
    if kind < 4:
        return _feedback(rng, app)
    return _right_query(rng, app) if kind < 6 else _near_query(rng, app)


def _right_query(rng: random.Random, app: str) -> Call:
    values = [good_value(rng, APPS[app]) for _ in range(rng.choice((1, 1, 2, 5)))]
    body = {"input": values[0]} if len(values) == 1 else {"input_batch": values}
    return Call("POST", b"/%b/predict" % app.encode(), json.dumps(body).encode(), _is_answer_to(values))


def _near_query(rng: random.Random, app: str) -> Call:
    value = good_value(rng, APPS[rng.choice((app, app, app, *APPS))])
    right: dict[str, Any] = {"input": value} if rng.random() < 0.6 else {"input_batch": [value]}
    return _near_call(rng, f"/{app}/predict", right)


def _feedback(rng: random.Random, app: str) -> Call:
    value = good_value(rng, APPS[app])
    right = rng.choice(
        ({"query_id": rng.randrange(2**53), "label": 1}, {"uid": 1, "input": value, "label": 0.5})
    )
    return _near_call(rng, f"/{app}/update", right)


def _near_call(rng: random.Random, target: str, right: dict[str, Any]) -> Call:
    body = near_body(rng, right)
    return Call("POST", target.encode(), body, refused_if_no_json(body))


def refused_if_no_json(body: bytes) -> Check:
    """Return the check of an answer to a body that may be right or wrong."""
    allowed = (400,) if is_surely_no_json(body) else (200, 400)
    return lambda status, _: status in allowed


def _is_answer_to(values: list[Any]) -> Check:
    def check(status: int, body: bytes) -> bool:
        if status != 200:
            return False
        answer = json.loads(body)
        answers = [answer] if len(values) == 1 else answer["batch_predictions"]
        return len(answers) == len(values) and all(map(_is_right, answers, values))

    return check


def _is_right(answer: dict[str, Any], value: Any) -> bool:
    """Return whether an answer is a default, or what the application's model makes of the value."""
    if answer["default"]:
        return True
    if isinstance(value, str):
        return bool(answer["output"] == _as_json(value))
    return math.isclose(answer["output"], math.fsum(value), rel_tol=1e-9, abs_tol=1e-9)


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

"""The refusals of request bodies: errors of the decoder, in terms of the client's JSON. No I/O."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from clipper_container.input_types import InputType
from clipper_frontend.query.bodies.surrogates import half_of_pair

#: The errors of a decoder.
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_WITH_PATH: Final = re.compile(r"(?P<problem>.*) - at `(?:key in )?`?\$\.?(?P<path>.+)`", re.DOTALL)
_NO_MISSING_INTEGER: Final = (
    "there are no missing integers. Send a number, or register the application for floats or doubles, "
    "where null is a missing number"
)


class BadRequest(Exception):  # noqa: N818 (named for the response that it becomes)
    """A body that cannot be decoded; `cause` names the key or element, and what was expected."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(cause)


def bad_request(body: bytes, error: Exception, input_type: InputType) -> BadRequest:
    """Return the refusal of a body that could not be decoded."""
    if not body:
        return BadRequest("the body is empty: expected a JSON object")
    if isinstance(error, UnicodeDecodeError):
        return BadRequest("the body is not UTF-8")
    if isinstance(error, RecursionError):
        return BadRequest("the JSON is nested too deep")
    half = None if isinstance(error, msgspec.ValidationError) else half_of_pair(body)
    if half is not None:
        return BadRequest(f"the text {half} is half of a surrogate pair: send whole characters")
    found = _WITH_PATH.fullmatch(str(error))
    if found is None:
        return BadRequest(str(error))
    path, problem = found["path"], found["problem"]
    if input_type is InputType.INTEGERS and path.startswith("input") and problem.endswith("got `null`"):
        problem += f": {_NO_MISSING_INTEGER}" if path.endswith("]") else ""
    return BadRequest(f"{path}: {problem}")

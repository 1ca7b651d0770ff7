"""The environment of replicas: which variables and sample inputs are taken, and what a refusal says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from clipper_container.settings import Settings
from clipper_nomad.errors import ClipperException
from clipper_nomad.operations.environments import make_environment, parse_environment

REQUIRED = {
    "CLIPPER_MODEL_NAME": "m",
    "CLIPPER_MODEL_VERSION": "1",
    "CLIPPER_INPUT_TYPE": "doubles",
    "CLIPPER_RPC_ADDRESS": "127.0.0.1:1",
}


def sample_of(environment: Mapping[str, str]) -> bytes | None:
    """Return the sample input as the runtime reads it."""
    return Settings.from_environment({**REQUIRED, **environment}).sample_input


@pytest.mark.parametrize("environment", [None, {}, {"A_1": "", "_b": 'a "quoted" ; # value\n\u00e9'}])
def test_any_text_is_a_value(environment: dict[str, str] | None) -> None:
    assert parse_environment(environment) == (environment or {})


@pytest.mark.parametrize(
    ("environment", "refusal"),
    [
        ("A=b", "environment is a str: pass a dict"),
        ([("A", "b")], "environment is a list: pass a dict"),
        ({"A-B": "c"}, "'A-B' cannot name an environment variable"),
        ({"1A": "c"}, "'1A' cannot name an environment variable"),
        ({"": "c"}, "'' cannot name an environment variable"),
        ({"A=B": "c"}, "'A=B' cannot name an environment variable"),
        ({1: "c"}, "1 cannot name an environment variable"),
        ({"CLIPPER_MODEL_NAME": "c"}, "environment has CLIPPER_MODEL_NAME"),
        ({"clipper_ip": "c"}, "environment has clipper_ip"),
        ({"A": 1}, "The environment variable A is a int: values are text"),
        ({"A": None}, "The environment variable A is a NoneType: values are text"),
        ({"A": "hidden\0"}, "The environment variable A holds a NUL"),
        ({"A": "hidden\ud800"}, "The environment variable A holds a NUL character or a lone surrogate"),
        ({"A": "x" * 200_000}, "The environment variable A has 200000 bytes"),
    ],
)
def test_what_no_process_can_have_is_refused_without_showing_values(environment: Any, refusal: str) -> None:
    with pytest.raises(ClipperException) as caught:
        parse_environment(environment)
    assert caught.value.msg.startswith(refusal)
    assert "hidden" not in caught.value.msg


@pytest.mark.parametrize(
    ("sample", "input_type", "raw"),
    [
        ([1.0, 2], "doubles", np.array([1.0, 2.0]).tobytes()),
        (np.array([1.5], np.float32), "floats", np.array([1.5], np.float32).tobytes()),
        ([7], "integers", np.array([7], np.int32).tobytes()),
        ("text", "strings", b"text"),
        ("AAE=", "bytes", b"\0\1"),
        (b"\0\1", "bytes", b"\0\1"),
    ],
)
def test_a_sample_reaches_the_model_as_a_querys_input_does(sample: Any, input_type: str, raw: bytes) -> None:
    environment = make_environment({"A": "b"}, sample, input_type)
    assert environment["A"] == "b"
    assert sample_of(environment) == raw


def test_a_large_sample_travels_if_it_can_be_compressed() -> None:
    image = np.zeros(224 * 224 * 3)
    assert sample_of(make_environment(None, image, "doubles")) == image.tobytes()


@pytest.mark.parametrize(
    ("sample", "input_type", "refusal"),
    [
        (["a"], "doubles", "is not a list of doubles. Pass one input of type doubles"),
        ([[1.0]], "doubles", "is not a list of doubles"),
        ([1.5], "integers", "is not a list of integers"),
        (3, "strings", "the input 3 is not a string"),
        ("text", "floats", "is not a list of floats"),
        ("?", "bytes", "is not base64"),
        ([], "doubles", "sample_input is empty"),
        (b"", "bytes", "sample_input is empty"),
        (os.urandom(200_000), "bytes", "bytes when it is packed, and 120000 is the most that travels"),
    ],
)
def test_a_sample_of_another_type_is_refused(sample: Any, input_type: str, refusal: str) -> None:
    with pytest.raises(ClipperException) as caught:
        make_environment(None, sample, input_type)
    assert refusal in caught.value.msg

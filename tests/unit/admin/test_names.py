"""Names, versions, labels and numbers that users may pass."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_nomad import names
from clipper_nomad.errors import ClipperException
from clipper_nomad.types import Application, ModelRegistration, ModelVersion

DNS_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"


@pytest.mark.parametrize("version", [1, "1", np.int64(1)])
def test_a_whole_number_is_a_version(version: Any) -> None:
    assert names.parse_model_version("sum-model", version) == ModelVersion("sum-model", "1")


@given(st.text("abz019-", min_size=1, max_size=63).map(lambda text: text.strip("-")).filter(bool))
def test_every_dns_label_is_a_model_name(name: str) -> None:
    assert names.parse_model_name(name) == name


@given(st.text() | st.text("az09.:,_/AZ-", min_size=1, max_size=70))
def test_nothing_else_is_a_model_name(name: str) -> None:
    if re.fullmatch(DNS_LABEL, name, re.ASCII):
        return
    with pytest.raises(ClipperException, match="use lower-case letters, digits and `-`"):
        names.parse_model_name(name)


@pytest.mark.parametrize("version", [1.0, True, -1, None, "", "1.0", "v_1", "-1", "1\n", b"1"])
def test_other_versions_are_refused(version: Any) -> None:
    with pytest.raises(ClipperException, match="version"):
        names.parse_model_version("m", version)


@pytest.mark.parametrize("version", ["v1.0", 3, "Ä b"])
def test_a_registered_model_may_have_any_name_that_rest_takes(version: Any) -> None:
    assert names.parse_known_model("My_Model", version) == ModelVersion("My_Model", str(version))


@pytest.mark.parametrize(("name", "version"), [("", "1"), ("m", ""), ("m,", "1"), ("m", "1:2"), (None, "1")])
def test_a_name_that_no_model_can_have_is_refused(name: Any, version: str) -> None:
    with pytest.raises(ClipperException, match="without `:` and `,`"):
        names.parse_known_model(name, version)


@pytest.mark.parametrize("name", ["", "a:b", "a,b", "a/b", None, 3])
def test_an_application_name_has_no_separators(name: Any) -> None:
    with pytest.raises(ClipperException, match="without `:`, `,` and `/`"):
        names.parse_application_name(name)


def test_labels_are_a_list_of_strings() -> None:
    assert names.parse_labels(None) == ()
    assert names.parse_labels(["a", "b c"]) == ("a", "b c")


@pytest.mark.parametrize("labels", ["ab", [1], ["a:b"], ["a,b"], 3])
def test_other_labels_are_refused(labels: Any) -> None:
    with pytest.raises(ClipperException, match="label"):
        names.parse_labels(labels)


@pytest.mark.parametrize(("text", "canonical"), [("d", "doubles"), ("Ints", "integers"), ("strs", "strings")])
def test_input_types_are_made_canonical(text: str, canonical: str) -> None:
    assert names.parse_input_type(text) == canonical


def test_an_unknown_input_type_names_the_known_ones() -> None:
    with pytest.raises(ClipperException, match="doubles"):
        names.parse_input_type("complex")


def test_an_application_is_checked_as_a_whole() -> None:
    found = names.parse_application("app", "d", "-1.0", 100_000, "wait")
    assert found == Application("app", "doubles", "-1.0", 100_000, "wait")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"default_output": -1.0}, "pass it as a string"),
        ({"slo_micros": 0}, "slo_micros is 0"),
        ({"slo_micros": 1e5}, "slo_micros is 100000.0"),
        ({"on_default": "fail"}, "default, error, wait"),
    ],
)
def test_what_is_wrong_with_an_application_is_said(change: dict[str, Any], message: str) -> None:
    good = {"default_output": "0", "slo_micros": 1, "on_default": "default"}
    with pytest.raises(ClipperException, match=message):
        names.parse_application("app", "doubles", **{**good, **change})


def test_one_model_or_several() -> None:
    assert names.parse_model_names("m") == ["m"]
    assert names.parse_model_names(name for name in ("m", "n")) == ["m", "n"]
    with pytest.raises(ClipperException, match="'n:1' is not a model name"):
        names.parse_model_names(["m", "n:1"])
    with pytest.raises(ClipperException, match="None is not a model name"):
        names.parse_model_names(None)


def test_weights_are_numbers() -> None:
    assert names.parse_weights((1, 2.5, np.float32(0.5))) == [1.0, 2.5, 0.5]
    for weight in ("1", None, True, float("nan")):
        with pytest.raises(ClipperException, match="is not a weight"):
            names.parse_weights([weight])
    no_lists: list[object] = [{"m": 1}, "12", 3]
    for no_list in no_lists:
        with pytest.raises(ClipperException, match="not a list of weights"):
            names.parse_weights(no_list)


def test_a_policy_is_a_name_or_what_json_can_carry() -> None:
    assert names.parse_policy("exp3") == "exp3"
    assert names.parse_policy({"name": "split", "arms": ("m", "n")}) == {"name": "split", "arms": ["m", "n"]}
    with pytest.raises(ClipperException, match="pass its name, or a dict"):
        names.parse_policy(["exp3"])
    for arms in ({"m": float("inf")}, {"m": object()}):
        with pytest.raises(ClipperException, match="cannot be sent as JSON"):
            names.parse_policy({"arms": arms})


def test_a_user_is_text_or_a_whole_number() -> None:
    assert [names.parse_user(user) for user in ("anna", 7, -1, np.int64(7))] == ["anna", "7", "-1", "7"]
    for user in ("", True, 1.5, None):
        with pytest.raises(ClipperException, match="is not a user's id"):
            names.parse_user(user)


@pytest.mark.parametrize("batch_size", [0, -2, 1.5, None])
def test_a_batch_size_is_positive_or_learnt(batch_size: Any) -> None:
    with pytest.raises(ClipperException, match="batch_size"):
        names.parse_batch_size(batch_size)


def test_a_registration_is_checked_as_a_whole() -> None:
    found = names.parse_registration(ModelVersion("m", "2"), "b", "image", ["x"], 8)
    assert found == ModelRegistration(ModelVersion("m", "2"), "bytes", "image", ("x",), 8)

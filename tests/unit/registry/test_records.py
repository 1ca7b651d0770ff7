"""Records: each is read from its own hash, and the error for an unreadable one names key and field."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_container.input_types import InputType
from clipper_frontend.errors import UnreadableRecord
from clipper_frontend.registry.hashes import read_record
from clipper_frontend.registry.keys import ReplicaKey, VersionKey
from clipper_frontend.registry.records import (
    ApplicationRecord,
    FrontendRecord,
    ModelRecord,
    OnDefault,
    ReplicaRecord,
)

NAMES = st.text(st.characters(exclude_characters=":,", exclude_categories=["Cs"]), min_size=1, max_size=20)
INPUT_TYPES = st.sampled_from(InputType)
BATCH_SIZES = st.just(-1) | st.integers(1, 10_000)

APPLICATION = ApplicationRecord("a", InputType.DOUBLES, "p", "0", 1000)
MODEL = ModelRecord("m", "1", InputType.DOUBLES, registration_id="x")
REPLICA = ReplicaRecord("m", "1", 0, InputType.DOUBLES, -1, 3, "x", 4)
FRONTEND = FrontendRecord("f", "h:7000", "h:1390", "0.1.0", "now", {("m", "1"): 4})


@given(NAMES, INPUT_TYPES, st.text(), st.integers(1, 2**60), st.sampled_from(OnDefault), st.text())
def test_applications(
    name: str, input_type: InputType, default: str, slo_micros: int, on_default: OnDefault, policy: str
) -> None:
    record = ApplicationRecord(name, input_type, "p", default, slo_micros, on_default, policy)
    assert ApplicationRecord.from_hash(name, record.to_hash()) == record


@given(NAMES, NAMES, INPUT_TYPES, st.lists(NAMES), st.text(), BATCH_SIZES)
def test_models(
    name: str, version: str, input_type: InputType, labels: list[str], path: str, batch_size: int
) -> None:
    record = ModelRecord(name, version, input_type, tuple(labels), path, path, batch_size, "id")
    assert ModelRecord.from_hash(record.key, record.to_hash()) == record


@given(NAMES, NAMES, st.integers(0, 99), INPUT_TYPES, BATCH_SIZES, st.sampled_from([3, 4]))
def test_replicas(
    name: str, version: str, replica_id: int, input_type: InputType, batch_size: int, rpc_version: int
) -> None:
    record = ReplicaRecord(name, version, replica_id, input_type, batch_size, 7, "i", rpc_version)
    assert ReplicaRecord.from_hash(record.key, {**record.to_hash(), "holder:f": "1"}) == record


@given(st.dictionaries(st.tuples(NAMES, NAMES), st.sampled_from([3, 4])))
def test_frontends(ready: dict[tuple[str, str], int]) -> None:
    record = dataclasses.replace(FRONTEND, ready=ready)
    assert FrontendRecord.from_hash("f", record.to_hash()) == record


def test_what_this_project_adds_may_be_missing() -> None:
    values = APPLICATION.to_hash()
    del values["on_default"], values["policy_config"]
    assert ApplicationRecord.from_hash("a", values) == APPLICATION
    values = REPLICA.to_hash()
    del values["instance_id"], values["rpc_version"]
    expected = dataclasses.replace(REPLICA, instance_id="", rpc_version=3)
    assert ReplicaRecord.from_hash(REPLICA.key, values) == expected
    values = MODEL.to_hash()
    del values["registration_id"]
    assert ModelRecord.from_hash(MODEL.key, values) == dataclasses.replace(MODEL, registration_id="")


def test_a_version_that_is_not_marked_as_valid_is_none() -> None:
    values = MODEL.to_hash()
    del values["valid"]
    assert ModelRecord.from_hash(MODEL.key, values) is None


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        (APPLICATION, "input_type", "sounds"),
        (APPLICATION, "input_type", None),
        (APPLICATION, "latency_slo_micros", "soon"),
        (APPLICATION, "latency_slo_micros", "0"),
        (APPLICATION, "default_output", None),
        (APPLICATION, "on_default", "maybe"),
        (MODEL, "batch_size", "0"),
        (MODEL, "batch_size", "9" * 5000),
        (MODEL, "input_type", None),
        (REPLICA, "rpc_version", "four"),
        (FRONTEND, "ready:m", "4"),
        (FRONTEND, "ready:m:1", "four"),
        (FRONTEND, "rpc_address", None),
    ],
)
def test_an_unreadable_field_is_named_and_logged(
    record: Any, field: str, value: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    values = {name: text for name, text in {**record.to_hash(), field: value}.items() if text is not None}
    key: Any = record.key if isinstance(record, ModelRecord | ReplicaRecord) else "the-key"
    with pytest.raises(UnreadableRecord, match=field) as raised:
        type(record).from_hash(key, values)
    assert str(key) in str(raised.value)
    with caplog.at_level(logging.WARNING):
        assert read_record(lambda: type(record).from_hash(key, values)) is None
    assert f"field '{field}'" in caplog.text


def test_keys_name_what_they_should() -> None:
    assert MODEL.key == VersionKey("m", "1")
    assert REPLICA.key == ReplicaKey("m", "1", 0)

"""Key names: every written name can be read, and nothing else can."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipper_frontend.errors import RegistryRefusal
from clipper_frontend.registry import keys
from clipper_frontend.registry.keys import Database, ReplicaKey, VersionKey
from clipper_frontend.registry.names import check_application_name, check_id, check_label, check_name

NAMES = st.text(
    st.characters(exclude_characters=":,/", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60
)


@given(NAMES, NAMES)
def test_version_keys(name: str, version: str) -> None:
    key = VersionKey(name, version)
    assert str(key) == f"{name}:{version}"
    assert VersionKey.parse(str(key)) == key


@given(NAMES, NAMES, st.integers(0, 10**9))
def test_replica_keys(name: str, version: str, replica_id: int) -> None:
    key = ReplicaKey(name, version, replica_id)
    assert str(key) == f"{name},{version},{replica_id}"
    assert ReplicaKey.parse(str(key)) == key
    assert key.version_key == VersionKey(name, version)


@pytest.mark.parametrize("text", ["", "m", "m:", ":1", "m:1:2"])
def test_what_is_no_version_key(text: str) -> None:
    with pytest.raises(ValueError, match="<model>:<version>"):
        VersionKey.parse(text)


@pytest.mark.parametrize("text", ["", "m,1", "m,1,x", "m,1,-1", "m,1,", ",1,0", "m,1,0,0", "m,1,²"])
def test_what_is_no_replica_key(text: str) -> None:
    with pytest.raises(ValueError, match="<model>,<version>,<replica>"):
        ReplicaKey.parse(text)


@given(st.sampled_from(Database), st.text())
def test_keyspace_channels(database: Database, key: str) -> None:
    channel = keys.keyspace_pattern(database).removesuffix("*") + key
    assert keys.parse_keyspace_channel(channel) == (database, key)


@pytest.mark.parametrize(
    "channel", ["", "__keyspace@2__", "__keyevent@2__:set", "__keyspace@x__:m", "__keyspace@9__:m"]
)
def test_what_is_no_channel_of_the_registry(channel: str) -> None:
    with pytest.raises(ValueError):
        keys.parse_keyspace_channel(channel)


@given(NAMES)
def test_printable_names_that_can_be_read_back_are_taken(name: str) -> None:
    normal = unicodedata.normalize("NFC", name).strip()
    if len(normal.encode()) <= 255 and normal not in ("", ".", "..") and normal.isprintable():
        check_name("model name", normal)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "must not be empty"),
        ("a:b", "must not contain ':' or ','"),
        ("a,b", "must not contain ':' or ','"),
        ("a/b", "must not contain '/'"),
        ("..", "nor be"),
        ("a\tb", "control characters"),
        ("\x7f", "control characters"),
        ("ä" * 128, "at most 255 bytes"),
        ("safe\u202egpj", "cannot be seen"),
        ("a\u200b", "cannot be seen"),
        ("a\u2028b", "cannot be seen"),
        ("\ue000", "cannot be seen"),
        ("admin ", "begin or end with a space"),
        (" a", "begin or end with a space"),
        ("cafe\u0301", r"normal form NFC, as 'caf\\xe9'"),
        ("\u212b", r"normal form NFC, as '\\xc5'"),
    ],
)
def test_names_that_are_refused(name: str, reason: str) -> None:
    with pytest.raises(RegistryRefusal, match=f"Invalid model name .*{reason}"):
        check_name("model name", name)


@pytest.mark.parametrize("name", ["admin", "health", "metrics"])
def test_names_of_other_paths_are_no_applications(name: str) -> None:
    with pytest.raises(RegistryRefusal, match="reserved"):
        check_application_name(name)
    check_name("model name", name)


def test_a_refusal_shows_the_beginning_of_a_long_name_only() -> None:
    for name in ("x" * 50_000_000, ":" * 50_000_000):
        with pytest.raises(RegistryRefusal) as refusal:
            check_name("model name", name)
        assert len(str(refusal.value)) < 200


def test_an_id_may_hold_separators_and_is_printable() -> None:
    check_id("instance id", "")
    check_id("instance id", "host:7/x,1")
    for text in ("a\x1b[2J", "\ud800", "x" * 256):
        with pytest.raises(RegistryRefusal, match="Invalid instance id"):
            check_id("instance id", text)


def test_labels_may_be_empty_and_hold_slashes() -> None:
    check_label("")
    check_label("team/vision")
    with pytest.raises(RegistryRefusal, match="Invalid label"):
        check_label("a,b")

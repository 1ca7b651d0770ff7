"""The mirror: the serving version, the changes by each value, and the differences of a full reading."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clipper_container.input_types import InputType
from clipper_frontend.registry.keys import Database, VersionKey
from clipper_frontend.registry.mirror import Changes, Entry, Mirror
from clipper_frontend.registry.records import ApplicationRecord, FrontendRecord, ModelRecord

APPLICATION = ApplicationRecord("a", InputType.DOUBLES, "p", "0", 1000)


def model(version: str, name: str = "m") -> Entry:
    return (Database.MODELS, f"{name}:{version}", ModelRecord(name, version, InputType.DOUBLES).to_hash())


def current(version: str | None) -> Entry:
    return (Database.METADATA, "CURRENT_MODEL_VERSION:m", version)


def serving(version: str | None) -> Entry:
    return (Database.METADATA, "SERVING_MODEL_VERSION:m", version)


def mirror_of(*entries: Entry) -> Mirror:
    mirror = Mirror()
    mirror.apply(entries)
    return mirror


def test_an_unknown_model_has_no_version() -> None:
    assert Mirror().serving_version("m") is None
    assert Mirror().current_version("m") is None


def test_the_current_version_serves_where_none_is_set() -> None:
    assert mirror_of(model("1"), current("1")).serving_version("m") == "1"


def test_the_serving_version_comes_before_the_current_one() -> None:
    mirror = mirror_of(model("1"), model("2"), current("2"), serving("1"))
    assert mirror.serving_version("m") == "1"
    assert mirror.current_version("m") == "2"
    assert mirror.awaiting_promotion() == ["m"]
    mirror.apply([serving("2")])
    assert mirror.awaiting_promotion() == []


def test_an_unregistered_serving_version_gives_way_to_the_current_one() -> None:
    assert mirror_of(model("2"), current("2"), serving("1")).serving_version("m") == "2"


def test_nothing_unregistered_serves() -> None:
    mirror = mirror_of(model("1"), current("2"), serving("3"))
    assert mirror.serving_version("m") is None
    assert mirror.awaiting_promotion() == []


def test_each_kind_of_value_returns_its_changes() -> None:
    mirror = Mirror()
    for entry, changes in (
        ((Database.APPLICATIONS, "a", APPLICATION.to_hash()), Changes(applications=frozenset("a"))),
        ((Database.LINKS, "b", frozenset({"m"})), Changes(applications=frozenset("b"))),
        (model("1"), Changes(models=frozenset("m"))),
        (current("1"), Changes(models=frozenset("m"))),
        (serving("1"), Changes(models=frozenset("m"))),
        ((Database.REPLICAS, "m,1,0", {"x": "y"}), Changes(replicas=frozenset("m"))),
        (
            (Database.FRONTENDS, "QUERY_FRONTEND:f", FrontendRecord("f", "h:1", "", "1").to_hash()),
            Changes(frontends=True),
        ),
    ):
        database, key, _ = entry
        assert mirror.apply([entry]) == changes
        assert not mirror.apply([entry])
        assert mirror.apply([(database, key, None)]) == changes
        assert not mirror.apply([(database, key, None)])


def test_a_version_registered_again_is_a_change() -> None:
    def registered(registration_id: str) -> Entry:
        record = ModelRecord("m", "1", InputType.DOUBLES, registration_id=registration_id)
        return (Database.MODELS, "m:1", record.to_hash())

    mirror = mirror_of(registered("x"))
    assert mirror.apply([registered("y")]) == Changes(models=frozenset("m"))


def test_what_cannot_be_read_counts_as_not_there() -> None:
    mirror = mirror_of((Database.APPLICATIONS, "a", APPLICATION.to_hash()))
    changes = mirror.apply([(Database.APPLICATIONS, "a", {"input_type": "sounds"})])
    assert changes == Changes(applications=frozenset("a"))
    assert mirror.applications == {}


def test_keys_of_other_tools_change_nothing() -> None:
    changes = Mirror().apply(
        [
            (Database.MODELS, "no-version", {"valid": "1"}),
            (Database.REPLICAS, "m,1,x", {"a": "b"}),
            (Database.FRONTENDS, "resource", {"a": "b"}),
            (Database.METADATA, "CLUSTER_NAME", "mine"),
            (Database.LINKS, "a", "text"),
            (Database.APPLICATIONS, "a", "text"),
            (Database.SELECTION_STATE, "a:0:0", "{}"),
        ]
    )
    assert not changes


def test_live_versions_are_those_of_which_a_replica_is_there() -> None:
    mirror = mirror_of((Database.REPLICAS, "m,1,0", {"x": "y"}), (Database.REPLICAS, "m,1,1", {"x": "y"}))
    mirror.apply([(Database.REPLICAS, "m,1,0", None)])
    assert mirror.live_versions() == {VersionKey("m", "1")}
    mirror.apply([(Database.REPLICAS, "m,1,1", None)])
    assert mirror.live_versions() == set()


def test_a_frontend_is_found_by_each_of_its_numbers_until_it_is_gone() -> None:
    def frontend(name: str, *numbers: int) -> Entry:
        record = FrontendRecord(name, "h:1", "", "1", numbers=numbers)
        return (Database.FRONTENDS, f"QUERY_FRONTEND:{name}", record.to_hash())

    def names(mirror: Mirror) -> dict[int, str]:
        return {number: found.id for number, found in mirror.frontends_by_number.items()}

    mirror = mirror_of(frontend("a", 1), frontend("b", 2))
    mirror.apply([frontend("a", 1, 3)])
    assert names(mirror) == {1: "a", 2: "b", 3: "a"}
    mirror.apply([(Database.FRONTENDS, "QUERY_FRONTEND:a", None)])
    assert names(mirror) == {2: "b"}
    mirror.adopt(mirror_of(frontend("c", 4)))
    assert names(mirror) == {4: "c"}


NAMES = st.sampled_from("abc")
ENTRIES = st.one_of(
    NAMES.map(lambda name: (Database.APPLICATIONS, name, APPLICATION.to_hash())),
    st.tuples(st.just(Database.LINKS), NAMES, st.frozensets(NAMES)),
    st.tuples(NAMES, NAMES).map(lambda pair: model(pair[1], pair[0])),
    st.tuples(
        st.just(Database.METADATA),
        st.builds(str.__add__, st.sampled_from(["CURRENT_MODEL_VERSION:", "SERVING_MODEL_VERSION:"]), NAMES),
        NAMES,
    ),
    NAMES.map(lambda name: (Database.REPLICAS, f"{name},1,0", {"x": "y"})),
    NAMES.map(
        lambda n: (Database.FRONTENDS, f"QUERY_FRONTEND:{n}", FrontendRecord(n, "h:1", "", "1").to_hash())
    ),
)


@given(st.lists(ENTRIES, max_size=12), st.lists(ENTRIES, max_size=12))
def test_a_full_reading_changes_exactly_what_differs(before: list[Entry], after: list[Entry]) -> None:
    mirror, fresh = mirror_of(*before), mirror_of(*after)
    expected = dict(vars(fresh))
    was = dict(vars(mirror))
    changes = mirror.adopt(fresh)
    assert vars(mirror) == expected
    assert bool(changes) == (was != expected)
    assert not mirror.adopt(mirror_of(*after))

"""NomadSettings: its scheduling, the old keywords for parts of it, and values that are refused."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad import Affinity, Constraint, NomadSettings, Scheduling, Spread

LINUX = (Constraint("${attr.kernel.name}", "linux"),)
FAST = (Affinity("${node.class}", "fast"),)
RACKS = (Spread("${meta.rack}"),)
OLD = [
    ("node_pool", "ml", {"scheduling": Scheduling(node_pool="ml")}),
    ("priority", 70, {"scheduling": Scheduling(priority=70)}),
    ("constraints", LINUX, {"scheduling": Scheduling(constraints=LINUX)}),
    ("affinities", FAST, {"scheduling": Scheduling(affinities=FAST)}),
    ("spreads", RACKS, {"scheduling": Scheduling(spreads=RACKS)}),
    ("model_constraints", LINUX, {"model_scheduling": Scheduling(constraints=LINUX)}),
    ("model_affinities", FAST, {"model_scheduling": Scheduling(affinities=FAST)}),
    ("model_spreads", RACKS, {"model_scheduling": Scheduling(spreads=RACKS)}),
]


@pytest.mark.parametrize(("keyword", "value", "new"), OLD)
def test_an_old_keyword_warns_and_works(keyword: str, value: Any, new: dict[str, Scheduling]) -> None:
    setting, name = next(iter(new)), keyword.removeprefix("model_")
    with pytest.warns(DeprecationWarning, match=rf"^{keyword} .* {setting}=Scheduling\({name}=") as caught:
        settings = NomadSettings(**{keyword: value})
    assert settings == NomadSettings(**new)  # type: ignore[arg-type]
    # The warning points at the line that gave the keyword.
    assert caught[0].filename == __file__


@pytest.mark.parametrize(("keyword", "value", "new"), OLD)
def test_an_old_keyword_beside_the_new_one_is_an_error(
    keyword: str, value: Any, new: dict[str, Scheduling]
) -> None:
    setting = next(iter(new))
    arguments: dict[str, Any] = {keyword: value, setting: Scheduling(priority=1)}
    with pytest.raises(ContainerManagerError, match=rf"was given {setting} and also {keyword}, .*alone"):
        NomadSettings(**arguments)


def test_old_keywords_together_are_one_scheduling_each() -> None:
    with pytest.warns(DeprecationWarning) as caught:
        settings = NomadSettings(node_pool="ml", priority=70, model_spreads=RACKS)
    assert settings.scheduling == Scheduling(node_pool="ml", priority=70)
    assert settings.model_scheduling == Scheduling(spreads=RACKS)
    assert len(caught) == 2


@pytest.mark.parametrize(("keyword", "value", "new"), OLD)
def test_an_old_keyword_cannot_be_read_and_the_error_names_what_can(
    keyword: str, value: Any, new: dict[str, Scheduling]
) -> None:
    name = f"{next(iter(new))}.{keyword.removeprefix('model_')}"
    with pytest.warns(DeprecationWarning):
        settings = NomadSettings(**{keyword: value})
    with pytest.raises(AttributeError, match=rf"no attribute '{keyword}', .*: read {name} instead"):
        getattr(settings, keyword)
    with pytest.raises(AttributeError, match="no attribute 'node_pols'"):
        getattr(settings, "node_pols")  # noqa: B009 - mypy would refuse it


def test_settings_are_compared_and_replaced_by_their_scheduling() -> None:
    one = NomadSettings(scheduling=Scheduling(node_pool="ml"), model_scheduling=Scheduling(priority=80))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert replace(one) == one
        assert replace(one, rpc_proxy_only=True).scheduling == one.scheduling
        assert replace(one, scheduling=Scheduling()) != one
    assert "node_pool='ml'" in repr(one)


def test_schedulings_are_equal_and_hashed_by_their_values() -> None:
    assert len({Scheduling("ml", 70, LINUX, FAST), Scheduling("ml", 70, LINUX, FAST), Scheduling("ml")}) == 2


def test_more_scheduling_adds_constraints_and_affinities_and_overrides_the_rest() -> None:
    other = Constraint("${meta.gpu}", "true")
    common = Scheduling("ml", 70, LINUX, FAST, RACKS)
    assert common.with_more(Scheduling()) == common
    assert common.with_more(Scheduling("gpus", 80, (other,))) == Scheduling(
        "gpus", 80, (*LINUX, other), FAST, RACKS
    )
    assert common.with_more(Scheduling(priority=0)).priority == 0


@pytest.mark.parametrize("name", ["cpu_mhz_per_core", "start_timeout_s", "placement_timeout_s"])
def test_a_number_below_its_range_is_refused(name: str) -> None:
    with pytest.raises(ContainerManagerError, match=rf"^{name} is -1"):
        NomadSettings(**{name: -1})  # type: ignore[arg-type]

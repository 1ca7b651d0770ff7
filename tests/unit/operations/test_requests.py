"""Options of a deployment: one set for all that deploy."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Unpack, get_type_hints

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers import python
from clipper_nomad.errors import ClipperException
from clipper_nomad.operations.requests import DEPLOY_TIMEOUT_S, DeployRequest, make_deploy_request
from clipper_nomad.types import (
    DeployOptions,
    DeploySpec,
    Device,
    ModelRegistration,
    ModelVersion,
    Resources,
)

GPU = Device("nvidia/gpu")
DEPLOYERS = [
    ClipperConnection.deploy_model,
    ClipperConnection.build_and_deploy_model,
    python.deploy_python_closure,
    python.create_endpoint,
]


def make_request(**options: Any) -> DeployRequest:
    return make_deploy_request("sum", 1, "d", ["a"], 2, 8, options)


@pytest.mark.parametrize("deploy", DEPLOYERS)
def test_every_deployer_takes_the_same_options(deploy: Callable[..., None]) -> None:
    by_name = [p for p in inspect.signature(deploy).parameters.values() if p.kind is p.VAR_KEYWORD]
    assert [get_type_hints(deploy)[p.name] for p in by_name] == [Unpack[DeployOptions]]


def test_options_have_defaults() -> None:
    request = make_request()
    assert (request.resources, request.devices, request.timeout_s) == (Resources(), (), DEPLOY_TIMEOUT_S)
    assert make_request(resources=None).resources == Resources()


def test_a_request_says_what_runs_and_what_is_registered() -> None:
    request = make_request(resources=Resources(cpu=1), devices=[GPU], timeout_s=5)
    sum_1 = ModelVersion("sum", "1")
    assert request.registration == ModelRegistration(sum_1, "doubles", "", ("a",), 8)
    assert request.make_spec("image") == DeploySpec(sum_1, "doubles", "image", 2, Resources(cpu=1), (GPU,))
    assert request.timeout_s == 5


@pytest.mark.parametrize("value", [0, -1, "5", float("nan"), True, None])
def test_a_timeout_is_a_number_of_seconds(value: object) -> None:
    with pytest.raises(ClipperException, match=r"timeout_s is .*: use a time in seconds above 0"):
        make_request(timeout_s=value)


@pytest.mark.parametrize("value", ["nvidia/gpu", GPU, ["nvidia/gpu"], 1])
def test_devices_are_a_list(value: object) -> None:
    with pytest.raises(ClipperException, match=r"devices is .*: pass a list of Device"):
        make_request(devices=value)


def test_resources_are_resources() -> None:
    with pytest.raises(ClipperException, match=r"resources is {'cpu': 1}: pass Resources"):
        make_request(resources={"cpu": 1})


@pytest.mark.parametrize("deploy", DEPLOYERS)
def test_an_unknown_option_is_refused_before_anything_is_done(deploy: Callable[..., None]) -> None:
    needed = [p.name for p in inspect.signature(deploy).parameters.values() if p.default is p.empty]
    arguments = dict.fromkeys(needed[:-1], object())
    message = "'timout_s' is not an option of a deployment: use one of resources, devices, timeout_s"
    with pytest.raises(TypeError, match=message):
        deploy(**arguments, timout_s=5)

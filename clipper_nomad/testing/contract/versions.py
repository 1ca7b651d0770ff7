"""The admin library on any manager: versions that are deployed, fail, take over, roll back and stop."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.errors import ClipperException, DeploymentError
from clipper_nomad.testing.harness import Build, Harness
from clipper_nomad.testing.models import (
    constant,
    failing_at_load,
    failing_at_work,
    loading_for_ever,
    row_sums,
    variable,
)
from clipper_nomad.testing.rest import predict
from clipper_nomad.testing.waiting import eventually


def answers(connection: ClipperConnection, output: str) -> None:
    """Wait until the application's queries are answered with `output`."""
    numbers = itertools.count()

    def is_answered() -> bool:
        # A different input each time, which no cache has.
        answer = predict(connection.get_query_addr(), "app", input=[float(next(numbers))])
        return bool(answer["output"] == output)

    eventually(is_answered, f"{output} is answered")


def test_a_deployed_version_answers_and_a_failed_one_leaves_it_alone(
    running: Harness, connection: ClipperConnection, app: str, build: Build
) -> None:
    manager = connection.cm
    connection.deploy_model("sums", 1, "doubles", build(manager, constant("one")))
    connection.link_model_to_app(app, "sums")
    answers(connection, "one")
    with pytest.raises(DeploymentError, match="weights are missing"):
        connection.deploy_model("sums", 2, "doubles", build(manager, failing_at_load()))
    assert connection.get_all_models() == ["sums:1"]
    assert not [name for name in running.parts() if name.startswith("model.sums.2")]
    answers(connection, "one")
    connection.deploy_model("sums", 2, "doubles", build(manager, constant("two")))
    answers(connection, "two")


@pytest.mark.smoke
def test_versions_are_rolled_back_and_inactive_ones_stopped(
    running: Harness, connection: ClipperConnection, app: str, build: Build
) -> None:
    for version, output in ((1, "one"), (2, "two"), (3, "three")):
        connection.deploy_model("sums", version, "doubles", build(connection.cm, constant(output)))
    connection.link_model_to_app(app, "sums")
    answers(connection, "three")
    connection.set_model_version("sums", 1)
    answers(connection, "one")
    connection.stop_inactive_model_versions(["sums"])
    assert connection.get_all_models() == ["sums:1"]
    assert [name for name in running.parts() if name.startswith("model.")] == ["model.sums.1.0"]
    answers(connection, "one")
    with pytest.raises(ClipperException):
        connection.set_model_version("sums", 3)


def test_all_replicas_are_connected_when_a_deployment_returns(
    connection: ClipperConnection, build: Build
) -> None:
    connection.deploy_model("sums", 1, "doubles", build(connection.cm, row_sums()), num_replicas=3)
    assert len(connection.get_all_model_replicas()) == 3


@pytest.mark.smoke
def test_replicas_that_are_started_later_have_the_environment_of_their_version(
    connection: ClipperConnection, app: str, build: Build
) -> None:
    text = 'say "hi"; # now'
    image = build(connection.cm, variable("GREETING"))
    connection.deploy_model("sums", 1, "doubles", image, num_replicas=0, environment={"GREETING": text})
    connection.link_model_to_app(app, "sums")
    connection.set_num_replicas("sums", 1)
    answers(connection, text)


def test_a_version_whose_replicas_answered_a_sample_input_is_deployed(
    connection: ClipperConnection, app: str, build: Build
) -> None:
    connection.deploy_model(
        "sums", 1, "doubles", build(connection.cm, constant("one")), sample_input=[1.0, 2.0]
    )
    connection.link_model_to_app(app, "sums")
    answers(connection, "one")


def test_a_version_that_cannot_answer_its_sample_input_is_not_deployed(
    running: Harness, connection: ClipperConnection, build: Build
) -> None:
    with pytest.raises(DeploymentError, match="the tokenizer is missing"):
        connection.deploy_model(
            "sums", 1, "doubles", build(connection.cm, failing_at_work()), sample_input=[1.0]
        )
    assert connection.get_all_models() == []
    assert not [name for name in running.parts() if name.startswith("model.")]


def test_a_version_that_is_stopped_while_it_is_deployed_is_not_registered(
    running: Harness, connection: ClipperConnection, build: Build
) -> None:
    image = build(connection.cm, loading_for_ever())
    other = ClipperConnection(running.make_manager())
    other.connect()

    def stop() -> None:
        eventually(lambda: bool(other.cm.get_replicas()), "the version is being deployed")
        other.stop_versioned_models({"sums": ["1"]})

    with ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(stop)
        with pytest.raises(DeploymentError, match="sums:1 was stopped while it was being deployed"):
            connection.deploy_model("sums", 1, "doubles", image)
        stopped.result()
    assert connection.get_all_models() == []
    assert not [name for name in running.parts() if name.startswith("model.")]


def test_scaled_replicas_are_connected_when_scaling_returns(
    connection: ClipperConnection, build: Build
) -> None:
    connection.deploy_model("sums", 1, "doubles", build(connection.cm, row_sums()))
    connection.set_num_replicas("sums", 3)
    assert len(connection.get_all_model_replicas()) == 3
    connection.set_num_replicas("sums", 1)
    assert connection.get_num_replicas("sums") == 1
    eventually(lambda: len(connection.get_all_model_replicas()) == 1, "two replicas have left")

"""The text of rendered jobspecs. A real Nomad reads them in tests/system."""

from __future__ import annotations

from dataclasses import replace

import jinja2
import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs import AnyJob, Interpolated, RedisJob, render, render_all, rendering
from clipper_nomad.jobspecs.layout import lay_out
from clipper_nomad.managers.nomad.drivers import ExecDriver, RawExecDriver
from tests.support.nomad import jobspec_examples

EXAMPLES: dict[str, AnyJob] = {
    f"{component} {kind}": job
    for kind, jobs in {
        "at its defaults": jobspec_examples.at_defaults(),
        "at its fullest": jobspec_examples.at_fullest(),
        "with exec": jobspec_examples.without_images(ExecDriver("/opt/clipper/bin")),
        "with raw_exec": jobspec_examples.without_images(RawExecDriver()),
    }.items()
    for component, job in jobs.items()
}


def default(component: str) -> AnyJob:
    return jobspec_examples.at_defaults()[component]


def with_environment(job: AnyJob, environment: dict[str, str]) -> AnyJob:
    return replace(job, task=replace(job.task, environment=environment))


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_reads_as_written_by_hand(name: str) -> None:
    text = render(EXAMPLES[name])
    assert lay_out(text) == text
    assert "\n\n\n" not in text
    assert "{\n\n" not in text
    assert not any(line != line.rstrip() or len(line) > 160 for line in text.splitlines())
    assert not any(mark in text.replace("[[ id ]] [% raw %] [# #]", "") for mark in ("[[", "[%", "[#"))


def test_files_of_a_cluster_are_named_as_its_jobs() -> None:
    jobs = jobspec_examples.at_defaults()
    files = render_all(jobs.values())
    assert list(files) == [
        "clipper.iris.redis.nomad.hcl",
        "clipper.iris.query-frontend.nomad.hcl",
        "clipper.iris.management-frontend.nomad.hcl",
        "clipper.iris.model.resnet.2.nomad.hcl",
    ]
    assert files["clipper.iris.redis.nomad.hcl"] == render(jobs["redis"])


def test_the_only_frontend_goes_when_its_successor_is_ready() -> None:
    assert "auto_promote" in render(default("query-frontend"))
    assert "auto_promote" in render(default("management-frontend"))
    assert "auto_promote" not in render(replace(default("query-frontend"), count=2))


def test_data_of_redis_is_in_its_volume_or_moves_with_the_allocation() -> None:
    job = default("redis")
    assert isinstance(job, RedisJob)
    assert '"${NOMAD_ALLOC_DIR}/data"' in render(job)
    assert "ephemeral_disk" in render(job)
    full = render(jobspec_examples.at_fullest()["redis"])
    assert '"--dir", "/data"' in full
    assert "ephemeral_disk" not in full


def test_what_is_asked_for_wins_over_what_the_jobspec_sets() -> None:
    text = render(with_environment(default("model"), {"CLIPPER_EXIT_WHEN_HUNG": "0"}))
    assert text.count("CLIPPER_EXIT_WHEN_HUNG") == 1
    assert 'CLIPPER_EXIT_WHEN_HUNG  = "0"' in text


def test_what_nomad_would_replace_is_refused_unless_it_is_meant() -> None:
    job = default("query-frontend")
    with pytest.raises(ContainerManagerError, match="pass on WHERE as it is"):
        render(with_environment(job, {"WHERE": "a${node.datacenter}"}))
    text = render(with_environment(job, {"WHERE": Interpolated("a${node.datacenter}")}))
    assert '"a${node.datacenter}"' in text
    redis = default("redis")
    assert isinstance(redis, RedisJob)
    with pytest.raises(ContainerManagerError, match="Redis' password"):
        render(replace(redis, password="${HOME}"))


@pytest.mark.parametrize("name", ["", "a b", 'x" = 1\n}', "1a", "${x}", "a.b"])
def test_names_that_hcl_does_not_take_are_refused(name: str) -> None:
    with pytest.raises(ContainerManagerError, match="Cannot write the variable"):
        render(with_environment(default("model"), {name: "x"}))


def test_a_word_that_a_template_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = rendering._environment().overlay(
        loader=jinja2.DictLoader({"redis.nomad.hcl.j2": "[[ nothing ]]"})
    )
    monkeypatch.setattr(rendering, "_environment", lambda: environment)
    with pytest.raises(jinja2.UndefinedError, match="'nothing' is undefined"):
        render(default("redis"))

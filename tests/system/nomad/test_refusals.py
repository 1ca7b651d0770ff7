"""Errors if a real Nomad cannot be reached, or refuses: addresses, certificates, tokens, restarts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.api.jobs import Jobs
from clipper_nomad.managers.nomad.api.volumes import VolumeRequest, Volumes
from clipper_nomad.managers.nomad.clients.access import TLS, NomadAccess
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI
from clipper_nomad.managers.nomad.clients.session import CAPABILITIES, VOLUME_CAPABILITIES
from tests.support.nomad.acl import add_nomad_token
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.jobs import TIMEOUT_S, own_place
from tests.support.processes import eventually


@pytest.fixture
def access(nomad_cluster: NomadCluster) -> NomadAccess:
    return NomadAccess.from_environment(environment=nomad_cluster.environment)


@pytest.fixture
def secure(secure_nomad_cluster: NomadCluster) -> NomadAccess:
    return NomadAccess.from_environment(environment=secure_nomad_cluster.environment)


def list_jobs(access: NomadAccess) -> None:
    Jobs(NomadAPI(access)).find({})


def test_an_address_without_a_listener_is_reported_at_once(access: NomadAccess) -> None:
    with pytest.raises(
        ContainerManagerError, match=r"Cannot list the jobs: .*127\.0\.0\.1:9 cannot be reached"
    ):
        list_jobs(replace(access, address="http://127.0.0.1:9"))


def test_https_to_a_nomad_that_speaks_http_is_reported(access: NomadAccess) -> None:
    address = access.address.replace("http://", "https://")
    with pytest.raises(ContainerManagerError, match=r"does not speak HTTPS.*set NOMAD_ADDR to an http://"):
        list_jobs(replace(access, address=address))


def test_a_server_that_is_not_nomad_is_reported(nomad_cluster: NomadCluster, access: NomadAccess) -> None:
    url = nomad_cluster.site.fabio_ui_url
    with pytest.raises(ContainerManagerError, match=r"NOMAD_ADDR|says"):
        list_jobs(replace(access, address=url))


def test_http_to_a_nomad_that_speaks_https_is_reported(secure: NomadAccess) -> None:
    with pytest.raises(ContainerManagerError, match=r"speaks HTTPS.*set NOMAD_ADDR to an https://"):
        list_jobs(replace(secure, address=secure.address.replace("https://", "http://")))


def test_with_the_ca_and_a_token_it_answers(secure: NomadAccess) -> None:
    list_jobs(secure)


def test_with_a_folder_of_authorities_it_answers_too(secure: NomadAccess, tmp_path: Path) -> None:
    (tmp_path / "any name").write_text(Path(secure.tls.ca_cert or "").read_text())
    list_jobs(replace(secure, tls=TLS(ca_path=str(tmp_path))))


def test_an_unknown_authority_is_reported(secure: NomadAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    # With a given CA, Nomad's own tools trust nothing else; requests by itself would.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(ContainerManagerError, match=r"certificate is not trusted .* Set NOMAD_CACERT"):
        list_jobs(replace(secure, tls=TLS()))


def test_a_given_authority_wins_over_that_of_requests(
    secure: NomadAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/there")
    list_jobs(secure)


def test_a_certificate_of_another_name_is_reported(secure: NomadAccess) -> None:
    with pytest.raises(ContainerManagerError, match=r"for another name .* Set NOMAD_TLS_SERVER_NAME"):
        list_jobs(replace(secure, tls=replace(secure.tls, server_name="nomad.example")))
    list_jobs(replace(secure, tls=replace(secure.tls, server_name="server.global.nomad")))


def test_verification_can_be_skipped(secure: NomadAccess) -> None:
    with pytest.warns(match="Unverified HTTPS request"):
        list_jobs(replace(secure, tls=TLS(verify=False)))


def test_a_file_that_holds_no_certificate_is_named(secure: NomadAccess, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ContainerManagerError, match=r"NOMAD_CACERT=.*ca\.pem"):
        list_jobs(replace(secure, tls=TLS(ca_cert=str(tmp_path / "ca.pem"))))


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, r"no token was given; set NOMAD_TOKEN to one whose policy has.*submit-job"),
        ("00000000-0000-0000-0000-00000000dead", r"the token in NOMAD_TOKEN does not suffice"),
    ],
)
def test_an_error_names_the_rights_that_a_token_needs(
    secure: NomadAccess, token: str | None, said: str
) -> None:
    with pytest.raises(ContainerManagerError, match=said):
        Jobs(NomadAPI(replace(secure, token=token))).parse('job "x" {}')


def test_the_policy_that_the_error_names_suffices(
    secure_nomad_cluster: NomadCluster, secure: NomadAccess
) -> None:
    capabilities = ", ".join(f'"{each}"' for each in (*CAPABILITIES, *VOLUME_CAPABILITIES))
    rules = f'namespace "default" {{ capabilities = [{capabilities}] }}'
    token = add_nomad_token(secure_nomad_cluster.nomad, "test-least", rules)
    with own_place(replace(secure, token=token)) as place:
        place.start(place.job())
        place.scale(2, "two")
        place.deployments.fail(place.deployment.id)
        assert place.jobs.find({"test.id": place.job_id})
        (allocation, *_) = place.running
        eventually(lambda: "to stdout" in place.logs.tail(allocation, 5), "what it wrote is in its log")
        volumes = Volumes(place.api)
        name = place.job_id.replace(".", "-")
        volumes.create(VolumeRequest(name), TIMEOUT_S)
        volumes.delete(name, TIMEOUT_S)
        assert volumes.find(name) == []


def test_mounting_a_volume_needs_the_rule_that_the_error_names(
    secure_nomad_cluster: NomadCluster, secure: NomadAccess
) -> None:
    rules = 'namespace "default" { capabilities = ["list-jobs", "read-job", "submit-job"] }'
    without = add_nomad_token(secure_nomad_cluster.nomad, "test-no-volume", rules)
    rules += ' host_volume "test-*" { policy = "write" }'
    suffices = add_nomad_token(secure_nomad_cluster.nomad, "test-volume", rules)
    volume = 'volume "data" {\n type = "host"\n source = "test-volume"\n }\n restart {'
    with (
        own_place(replace(secure, token=without)) as place,
        pytest.raises(ContainerManagerError, match=r'refuses.*host_volume "VOLUME"'),
    ):
        place.jobs.apply(place.job().replace("restart {", volume))
    with own_place(replace(secure, token=suffices)) as place:
        evaluation_id = place.jobs.apply(place.job().replace("restart {", volume))
        assert evaluation_id is not None
        failures = place.jobs.wait_evaluated(evaluation_id, TIMEOUT_S)
        assert "missing compatible host volumes on 1 node" in failures["model"].describe()


def test_a_restart_of_the_agent_is_waited_out(
    secure_nomad_cluster: NomadCluster, secure: NomadAccess
) -> None:
    with own_place(secure) as place:
        place.start(place.job())
        secure_nomad_cluster.nomad.restart()
        assert place.jobs.find({"test.id": place.job_id})
        secure_nomad_cluster.wait_until_healthy()
        eventually(lambda: len(place.running) == 1, "it still runs")

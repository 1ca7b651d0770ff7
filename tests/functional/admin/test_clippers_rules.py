"""Texts and small rules of Clipper that scripts rely on, against a real management frontend."""

from __future__ import annotations

import http.server
import json
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers import python
from clipper_nomad.errors import ClipperException, ManagementError, NotRunningError, UnconnectedException
from clipper_nomad.managers import messages
from clipper_nomad.managers.nomad.api.namespaces import provide_namespace
from clipper_nomad.managers.nomad.clients.access import NomadAccess
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI
from clipper_nomad.testing import RecordingManager
from tests.support.frontends.redis_server import RedisServer
from tests.support.processes import ManagementFrontend
from tests.support.recording_manager import connect

Connected = tuple[ClipperConnection, RecordingManager]
#: A name and a version that only REST takes.
ODD_NAME, ODD_VERSION = "My_Model", "v1.0"


@pytest.fixture
def connected(management: ManagementFrontend, redis_server: RedisServer) -> Connected:
    return connect(management, redis_server)


def add_odd_model(address: str) -> None:
    body = {
        "model_name": ODD_NAME,
        "model_version": ODD_VERSION,
        "labels": [],
        "input_type": "doubles",
        "container_name": "c",
        "model_data_path": "",
        "batch_size": -1,
    }
    assert requests.post(f"http://{address}/admin/add_model", json=body, timeout=10).ok


def test_models_that_rest_added_under_other_names_are_linked_read_and_stopped(connected: Connected) -> None:
    clipper, manager = connected
    add_odd_model(manager.management_address)
    clipper.register_application("app", "doubles", "0", 1)
    clipper.link_model_to_app("app", ODD_NAME)
    assert clipper.get_linked_models("app") == [ODD_NAME]
    assert clipper.get_current_model_version(ODD_NAME) == ODD_VERSION
    assert clipper.get_model_info(ODD_NAME, ODD_VERSION)
    clipper.set_model_version(ODD_NAME, ODD_VERSION)
    assert clipper.get_num_replicas(ODD_NAME) == 0
    clipper.unlink_model_from_app("app", ODD_NAME)
    clipper.stop_versioned_models({ODD_NAME: [ODD_VERSION]})
    assert clipper.get_all_models() == []
    clipper.register_model(ODD_NAME, ODD_VERSION, "doubles")
    clipper.stop_models([ODD_NAME])
    assert clipper.get_all_models() == []


def test_what_is_built_or_deployed_has_names_that_may_become_dns_labels(
    connected: Connected, tmp_path: Path
) -> None:
    clipper, manager = connected
    with pytest.raises(ClipperException, match="'My_Model' is not a model name"):
        clipper.build_model(ODD_NAME, 1, tmp_path, "default")
    with pytest.raises(ClipperException, match=r"'v1\.0' is not a model version"):
        clipper.deploy_model("m", ODD_VERSION, "doubles", "image")
    assert manager.specs == []


def test_a_model_without_containers_cannot_be_resized(connected: Connected) -> None:
    clipper, _ = connected
    clipper.register_model("m", 1, "doubles")
    info = clipper.get_model_info("m", 1)
    assert info is not None
    assert info["container_name"] == "NO_CONTAINER"
    text = "Cannot resize the replica set for containerless model m:1"
    with pytest.raises(ClipperException, match=text):
        clipper.set_num_replicas("m", 2)
    with pytest.raises(ClipperException, match=text):
        clipper.set_model_version("m", 1, num_replicas=2)
    with pytest.raises(ClipperException, match="Deploy it first"):
        clipper.set_num_replicas("other", 2, 1)


def test_the_links_of_an_unknown_application_are_refused(connected: Connected) -> None:
    clipper, manager = connected
    text = "No application with name 'A' exists."
    with pytest.raises(ManagementError) as caught:
        clipper.get_linked_models("A")
    assert caught.value.msg == text
    address = f"http://{manager.management_address}/admin/get_linked_models"
    response = requests.post(address, json={"app_name": "A"}, timeout=10)
    assert (response.status_code, response.text) == (400, text)
    clipper.register_application("app", "doubles", "0", 1)
    with pytest.raises(ManagementError, match=r"^No model with name 'M' exists\.$"):
        clipper.link_model_to_app("app", "M")


def test_a_manager_answers_to_clippers_names_too(connected: Connected) -> None:
    _, manager = connected
    assert manager.cluster_identifier == manager.cluster_name == "tests"
    assert manager.get_admin_addr() == manager.get_management_address()
    assert manager.get_query_addr() == manager.get_query_address()
    assert manager.get_metric_addr() == manager.get_metric_address()


def test_every_exception_has_its_text_by_both_names() -> None:
    for error in (ClipperException("why"), UnconnectedException()):
        assert error.msg == error.message == str(error)
    assert ClipperException("why").msg == "why"


def test_a_model_is_built_without_a_running_cluster(
    management: ManagementFrontend, redis_server: RedisServer, tmp_path: Path
) -> None:
    manager = RecordingManager(management.rest, redis_server.address)
    assert ClipperConnection(manager).build_model("m", 1, tmp_path, "default") == "image of m:1"
    assert manager.events == ["build m:1"]


@pytest.mark.parametrize("refusal", [messages.not_found("tests", "here"), messages.not_running("tests")])
def test_stopping_where_nothing_runs_is_no_error(
    management: ManagementFrontend,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    refusal: NotRunningError,
) -> None:
    manager = RecordingManager(management.rest, redis_server.address)

    def refuse(**_: object) -> None:
        raise refusal

    clipper = ClipperConnection(manager)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING, "clipper"):
        patched.setattr(manager, "connect", refuse)
        clipper.stop_all()
    assert f"There was nothing to stop. {refusal.msg}" in caplog.text

    clipper.connect()
    # Another process has stopped it meanwhile.
    monkeypatch.setattr(manager, "stop_all", refuse)
    clipper.stop_all()
    assert not clipper.connected


# -- Nomad's namespaces ------------------------------------------------------------------------------------


class Namespaces(http.server.ThreadingHTTPServer):
    """The part of Nomad that keeps namespaces; `status` is the answer to writes."""

    names: set[str]
    status = 200


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Namespaces

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rpartition("/")[2]
        self._answer(*((200, b"{}") if name in self.server.names else (404, b"Namespace not found")))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status == 200:
            self.server.names.add(body["Name"])
        self._answer(self.server.status, b"" if self.server.status == 200 else b"Permission denied")

    def _answer(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    with Namespaces(("127.0.0.1", 0), _Handler) as server:
        server.names = {"default"}
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def nomad_api(namespaces: Namespaces) -> NomadAPI:
    return NomadAPI(NomadAccess.from_environment(f"127.0.0.1:{namespaces.server_port}", environment={}))


def test_a_missing_namespace_is_made_once(namespaces: Namespaces, nomad_api: NomadAPI) -> None:
    provide_namespace(nomad_api, "team")
    assert namespaces.names == {"default", "team"}
    namespaces.status = 500
    provide_namespace(nomad_api, "team")


def test_a_namespace_that_may_not_be_made_says_so(namespaces: Namespaces, nomad_api: NomadAPI) -> None:
    namespaces.status = 403
    with pytest.raises(ClipperException, match=r"Cannot make the namespace team: .*refuses \(403 Permission"):
        provide_namespace(nomad_api, "team")


# -- what cannot be a model --------------------------------------------------------------------------------


async def coroutine(xs: Any) -> Any:
    return xs


def two(xs: Any, y: Any) -> Any:
    return xs, y


@pytest.mark.parametrize(
    ("func", "reason"), [(coroutine, "async def"), (lambda: 1, "one argument"), (two, "'y'"), (dict, "class")]
)
def test_what_cannot_be_a_model_is_refused_before_anything_is_built(
    connected: Connected, func: Any, reason: str
) -> None:
    clipper, manager = connected
    with pytest.raises(ClipperException, match=reason):
        python.deploy_python_closure(clipper, "m", 1, "doubles", func)
    with pytest.raises(ClipperException, match=reason):
        python.create_endpoint(clipper, "m", "doubles", func)
    assert manager.events == []
    assert clipper.get_all_apps() == []
    answer = clipper.test_predict_function({"input": [1.0]}, func, "doubles")
    assert isinstance(answer, str)
    assert re.search(reason, answer)

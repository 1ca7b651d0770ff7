"""The management frontend's HTTP client: one method for each REST call that the admin library makes.

A refusal becomes a ManagementError with the frontend's own text, a missing answer a NotReachableError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import requests

from clipper_nomad.errors import ManagementError, NotReachableError
from clipper_nomad.types import (
    Application,
    ModelRegistration,
    ModelVersion,
    ModelVersions,
    Policy,
    QueryFrontend,
)

Record = dict[str, Any]

#: In the refusal of an application or a model version that is registered already.
ALREADY_EXISTS = "already exists"

_CONNECT_TIMEOUT_S = 5.0
#: The frontend answers from Redis within milliseconds; this covers a restart under load.
_READ_TIMEOUT_S = 30.0


class ManagementClient:
    """A client of the management frontend; its `host:port` is looked up for each call, since it may move."""

    def __init__(self, find_address: Callable[[], str]) -> None:
        self._find_address = find_address

    def add_app(self, app: Application) -> None:
        """Register an application."""
        self._post(
            "add_app",
            name=app.name,
            input_type=app.input_type,
            default_output=app.default_output,
            latency_slo_micros=app.slo_micros,
            on_default=app.on_default,
            policy=app.policy,
            cors_origins=list(app.cors_origins) or None,
        )

    def delete_app(self, name: str) -> None:
        """Unregister an application."""
        self._post("delete_app", name=name)

    def list_applications(self) -> list[str]:
        """Return the names of all applications."""
        return [str(name) for name in self._ask_list("get_all_applications", verbose=False)]

    def describe_applications(self) -> list[Record]:
        """Return all applications' records."""
        return [dict(record) for record in self._ask_list("get_all_applications", verbose=True)]

    def get_application(self, name: str) -> Record:
        """Return an application's record; empty if it is unknown."""
        return self._ask_record("get_application", name=name)

    def set_policy(self, app_name: str, policy: Policy) -> None:
        """Give an application another selection policy."""
        self._post("set_policy", app_name=app_name, policy=policy)

    def get_policy_state(self, app_name: str, user_id: str | None) -> Record:
        """Return the state that an application's policy has learnt, for all users or for one."""
        return self._ask_record("get_policy_state", app_name=app_name, user_id=user_id)

    def add_model_links(
        self, app_name: str, model_names: Iterable[str], weights: Iterable[float] | None = None
    ) -> None:
        """Link models to an application; `weights`, if given, become those of its policy's arms."""
        self._post(
            "add_model_links",
            app_name=app_name,
            model_names=list(model_names),
            weights=None if weights is None else list(weights),
        )

    def delete_model_links(self, app_name: str, model_names: Iterable[str]) -> None:
        """Unlink models from an application."""
        self._post("delete_model_links", app_name=app_name, model_names=list(model_names))

    def get_linked_models(self, app_name: str) -> list[str]:
        """Return the names of the models that an application is linked to."""
        return [str(name) for name in self._ask_list("get_linked_models", app_name=app_name)]

    def add_model(self, registration: ModelRegistration) -> None:
        """Register a model version, which makes it current."""
        self._post(
            "add_model",
            model_name=registration.model.name,
            model_version=registration.model.version,
            labels=list(registration.labels),
            input_type=registration.input_type,
            container_name=registration.container_name,
            model_data_path="",
            batch_size=registration.batch_size,
            output_type=registration.output_type,
            cache_ttl_s=registration.cache_ttl_s,
            deployed_as=registration.deployed_as,
        )

    def delete_versioned_model(self, model: ModelVersion) -> None:
        """Unregister a model version."""
        self._post("delete_versioned_model", model_name=model.name, model_version=model.version)

    def purge_cache(self, model: ModelVersion, instance_id: str | None) -> None:
        """Drop a version's cached outputs, or those of one replica, from all query frontends."""
        named = {} if instance_id is None else {"instance_id": instance_id}
        self._post("purge_cache", model_name=model.name, model_version=model.version, **named)

    def set_model_version(self, model: ModelVersion) -> None:
        """Make a registered version the current one."""
        self._post("set_model_version", model_name=model.name, model_version=model.version)

    def list_models(self) -> list[ModelVersion]:
        """Return all registered model versions."""
        listed = self._ask_list("get_all_models", verbose=False)
        return [ModelVersion(*str(item).split(":", 1)) for item in listed]

    def describe_models(self) -> list[Record]:
        """Return all registered model versions' records."""
        return [dict(record) for record in self._ask_list("get_all_models", verbose=True)]

    def get_model(self, model: ModelVersion) -> Record:
        """Return a model version's record; empty if it is unknown."""
        return self._ask_record("get_model", model_name=model.name, model_version=model.version)

    def get_model_versions(self, model_name: str) -> ModelVersions:
        """Return a model's versions; there may be none."""
        record = self._ask_record("get_model_versions", model_name=model_name)
        return ModelVersions(
            name=model_name,
            current=record.get("current_version") or None,
            serving=record.get("serving_version") or None,
            versions=tuple(record.get("versions", ())),
        )

    def list_containers(self) -> list[str]:
        """Return all connected replicas as `name:version:replica`."""
        return [str(name) for name in self._ask_list("get_all_containers", verbose=False)]

    def describe_containers(self) -> list[Record]:
        """Return all connected replicas' records."""
        return [dict(record) for record in self._ask_list("get_all_containers", verbose=True)]

    def get_container(self, model: ModelVersion, replica_id: int) -> Record:
        """Return a connected replica's record; empty if it is unknown."""
        return self._ask_record(
            "get_container", model_name=model.name, model_version=model.version, replica_id=replica_id
        )

    def get_all_query_frontends(self) -> list[QueryFrontend]:
        """Return the live query frontends."""
        return [_read_frontend(record) for record in self._ask_list("get_all_query_frontends", verbose=True)]

    def get_registry(self) -> Record:
        """Return whether Redis has lost the registry, and which query frontends follow a lost one."""
        return self._ask_record("get_registry")

    def restore_registry(self) -> str:
        """Have a query frontend put back the registry that Redis lost, and return which one did."""
        return self._post("restore_registry").text

    def _ask_list(self, call: str, **body: object) -> list[Any]:
        answer = self._ask(call, body)
        if not isinstance(answer, list):
            raise ManagementError(f"/admin/{call} answered {str(answer)[:200]!r} instead of a list.")
        return answer

    def _ask_record(self, call: str, **body: object) -> Record:
        answer = self._ask(call, body)
        if not isinstance(answer, dict):
            raise ManagementError(f"/admin/{call} answered {str(answer)[:200]!r} instead of an object.")
        return answer

    def _ask(self, call: str, body: Mapping[str, object]) -> object:
        response = self._post(call, **body)
        try:
            return response.json()
        except requests.JSONDecodeError as exc:
            raise ManagementError(f"/admin/{call} did not answer JSON but {response.text[:200]!r}.") from exc

    def _post(self, call: str, **body: object) -> requests.Response:
        address = self._find_address()
        try:
            response = _send(f"http://{address}/admin/{call}", body)
        except requests.RequestException as exc:
            raise NotReachableError(
                f"The management frontend at {address} did not answer /admin/{call} ({exc}): "
                "check that the cluster runs, and read the frontend's log."
            ) from exc
        if response.status_code != requests.codes.ok:
            raise _to_error(response, address, call)
        return response


def _send(url: str, body: Mapping[str, object]) -> requests.Response:
    with requests.Session() as session:
        # A proxy for the internet does not reach the cluster.
        session.trust_env = False
        return session.post(url, json=body, timeout=(_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S))


def _to_error(response: requests.Response, address: str, call: str) -> ManagementError:
    text = response.text.strip()
    if response.status_code == requests.codes.service_unavailable:
        return NotReachableError(
            f"The management frontend at {address} could not serve /admin/{call}: {text}"
        )
    if response.status_code == requests.codes.bad_request and text:
        return ManagementError(text)
    return ManagementError(
        f"The management frontend at {address} answered /admin/{call} with status {response.status_code}: "
        f"{text[:500] or 'no text'}"
    )


def _read_frontend(record: Record) -> QueryFrontend:
    ready = {
        ModelVersion(item["model_name"], item["model_version"]): int(item["rpc_version"])
        for item in record["ready"]
    }
    return QueryFrontend(
        record["id"], record["rpc_address"], record["admin_address"], record["version"], ready
    )

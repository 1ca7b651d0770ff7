"""Clipper's names, positions and defaults, which users' scripts rely on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers import python

_DEPLOY_TAIL = (
    "base_image='default', labels=None, registry=None, num_replicas=1, batch_size=-1, pkgs_to_install=None"
)
METHODS = {
    "__init__": "container_manager",
    "start_clipper": (
        "query_frontend_image=None, mgmt_frontend_image=None, frontend_exporter_image=None, "
        "cache_size=33554432, qf_http_thread_pool_size=1, qf_http_timeout_request=5, "
        "qf_http_timeout_content=300, num_frontend_replicas=1"
    ),
    "connect": "",
    "register_application": "name, input_type, default_output, slo_micros",
    "delete_application": "name",
    "unregister_application": "name",
    "link_model_to_app": "app_name, model_name",
    "unlink_model_from_app": "app_name, model_name",
    "build_and_deploy_model": (
        "name, version, input_type, model_data_path, base_image, labels=None, container_registry=None, "
        "num_replicas=1, batch_size=-1, pkgs_to_install=None"
    ),
    "build_model": (
        "name, version, model_data_path, base_image, container_registry=None, pkgs_to_install=None"
    ),
    "deploy_model": "name, version, input_type, image, labels=None, num_replicas=1, batch_size=-1",
    "register_model": "name, version, input_type, image=None, labels=None, batch_size=-1",
    "get_current_model_version": "name",
    "get_num_replicas": "name, version=None",
    "set_num_replicas": "name, num_replicas, version=None",
    "get_all_apps": "verbose=False",
    "get_app_info": "name",
    "get_linked_models": "app_name",
    "get_all_models": "verbose=False",
    "get_model_info": "name, version",
    "get_all_model_replicas": "verbose=False",
    "get_model_replica_info": "name, version, replica_id",
    "get_clipper_logs": "logging_dir='clipper_logs/'",
    "inspect_instance": "",
    "set_model_version": "name, version, num_replicas=None",
    "get_query_addr": "",
    "get_metric_addr": "",
    "stop_models": "model_names",
    "stop_versioned_models": "model_versions_dict",
    "stop_inactive_model_versions": "model_names",
    "stop_all_model_containers": "",
    "stop_all": "graceful=True",
    "test_predict_function": "query, func, input_type",
}
#: Methods that Clipper does not have.
ADDED = {
    "set_policy": "app_name, policy",
    "get_policy_state": "app_name, user_id=None",
    "purge_cache": "name, version=None",
    "restore_registry": "",
    "prune_models": "",
}


def positional(function: Callable[..., Any]) -> str:
    """Return the parameters that can be given by position, with their defaults."""
    parameters = inspect.signature(function).parameters.values()
    by_position = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    return ", ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in by_position)


@pytest.mark.parametrize(("name", "parameters"), (METHODS | ADDED).items())
def test_a_method_keeps_clippers_parameters(name: str, parameters: str) -> None:
    assert positional(getattr(ClipperConnection, name)) == parameters


def test_every_public_method_is_listed() -> None:
    public = {name for name, _ in inspect.getmembers(ClipperConnection, inspect.isfunction) if name[0] != "_"}
    assert public == set(METHODS | ADDED) - {"__init__"}


def test_the_python_deployer_keeps_clippers_parameters() -> None:
    assert positional(python.deploy_python_closure) == (
        f"clipper_conn, name, version, input_type, func, {_DEPLOY_TAIL}"
    )
    assert positional(python.create_endpoint) == (
        "clipper_conn, name, input_type, func, default_output='None', version=1, slo_micros=3000000, "
        "labels=None, registry=None, base_image='default', num_replicas=1, batch_size=-1, "
        "pkgs_to_install=None"
    )

"""ClipperConnection: the one object through which a user's script handles a cluster.

A facade: it keeps the names, positions and defaults of Clipper's admin library (additions are keyword-only,
after them), checks arguments, and calls the operations, which make every decision.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from clipper_nomad import names
from clipper_nomad.errors import NotRunningError, UnconnectedException
from clipper_nomad.management import Record
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.operations.cluster import (
    CLIPPER_CONTENT_TIMEOUT_S,
    CLIPPER_REQUEST_TIMEOUT_S,
    Cluster,
    make_cluster_spec,
    warn_meaningless,
)
from clipper_nomad.operations.deployment import build
from clipper_nomad.operations.inspection import Metrics, read_metrics
from clipper_nomad.operations.models import NO_CONTAINER
from clipper_nomad.operations.replicas import SCALE_TIMEOUT_S
from clipper_nomad.operations.requests import make_build_spec, make_deploy_request
from clipper_nomad.operations.trial import try_function
from clipper_nomad.types import DefaultInt, DeployOptions, Policy, UnusedImage

logger = logging.getLogger("clipper")


class ClipperConnection:
    """A connection to the cluster of one container manager.

    Every method but start_clipper(), connect(), stop_all(), build_model() and test_predict_function() raises
    UnconnectedException until one of the first two has returned. All raise ClipperException for an invalid
    argument, ManagementError if the management frontend refuses a call, NotReachableError if it does not
    answer, and ContainerManagerError if the platform fails.
    """

    def __init__(self, container_manager: ContainerManager) -> None:
        self.cm = container_manager
        self._connected_cluster: Cluster | None = None

    @property
    def connected(self) -> bool:
        """Return whether start_clipper() or connect() has returned."""
        return self._connected_cluster is not None

    @property
    def _cluster(self) -> Cluster:
        if self._connected_cluster is None:
            raise UnconnectedException
        return self._connected_cluster

    # -- the cluster -----------------------------------------------------------------------------------------

    def start_clipper(
        self,
        query_frontend_image: str | None = None,
        mgmt_frontend_image: str | None = None,
        frontend_exporter_image: str | None = None,
        cache_size: int = DefaultInt(33554432),
        qf_http_thread_pool_size: int = 1,
        qf_http_timeout_request: float = DefaultInt(CLIPPER_REQUEST_TIMEOUT_S),
        qf_http_timeout_content: float = DefaultInt(CLIPPER_CONTENT_TIMEOUT_S),
        num_frontend_replicas: int = DefaultInt(1),
    ) -> None:
        """Start a cluster and connect to it. `cache_size` is in bytes, the timeouts are in seconds.

        On a running cluster only changed settings are rolled out, and settings that are not given stay. If a
        cluster was stopped with its state kept, its models come back. Clipper's defaults of the two timeouts
        mean the query frontend's own.
        """
        warn_meaningless(
            frontend_exporter_image=(frontend_exporter_image, None),
            qf_http_thread_pool_size=(qf_http_thread_pool_size, 1),
        )
        spec = make_cluster_spec(
            query_frontend_image=query_frontend_image,
            mgmt_frontend_image=mgmt_frontend_image,
            cache_size=cache_size,
            request_timeout_s=qf_http_timeout_request,
            content_timeout_s=qf_http_timeout_content,
            num_frontend_replicas=num_frontend_replicas,
        )
        logger.info("Starting cluster %s", self.cm.cluster_name)
        self.cm.start_clipper(spec)
        self._connected_cluster = Cluster.behind(self.cm)
        logger.info("Cluster %s is running", self.cm.cluster_name)

    def connect(self) -> None:
        """Connect to a running cluster. Raises ContainerManagerError if there is none."""
        self.cm.connect()
        self._connected_cluster = Cluster.behind(self.cm)
        logger.info("Connected to cluster %s at %s", self.cm.cluster_name, self.get_query_addr())

    def stop_all(self, graceful: bool = True, *, keep_state: bool = False) -> None:
        """Stop the cluster with all its models, connecting first if necessary; do nothing if none runs.

        All registrations are deleted, unless `keep_state` is true: then the next start_clipper() restores
        them. With `graceful` false, queries under way are not drained.
        """
        try:
            if not self.connected:
                self.connect()
            self.cm.stop_all(graceful=graceful, keep_state=keep_state)
        except NotRunningError as nothing:
            self._connected_cluster = None
            if keep_state or not self.cm.finish_stop():
                logger.warning("There was nothing to stop. %s", nothing.msg)
                return
        self._connected_cluster = None
        kept = "its state is kept" if keep_state else "what its own Redis held is gone"
        logger.info("Stopped cluster %s: %s", self.cm.cluster_name, kept)

    def restore_registry(self) -> str:
        """Put back what the query frontends know of a registry that Redis has lost; return who did it.

        Applications, links, models and their versions come back; what the new registry has under these names
        stays. What policies have learnt is lost. Raises ManagementError if no query frontend knows one.
        """
        return self._cluster.management.restore_registry()

    def get_query_addr(self) -> str:
        """Return the address of queries: `host:port`, followed by a path if the cluster has one."""
        return self._cluster.manager.get_query_address()

    def get_metric_addr(self) -> str:
        """Return the `host:port` that serves the first query frontend's /metrics."""
        return self._cluster.manager.get_metric_address()

    def get_clipper_logs(self, logging_dir: str = "clipper_logs/") -> list[str]:
        """Write all logs of the cluster into a folder, one file for each process, and return their paths."""
        return [str(path) for path in self._cluster.manager.get_logs(Path(logging_dir))]

    def inspect_instance(self) -> dict[str, Metrics]:
        """Return each query frontend's metrics: `{frontend id: {metric: [{"labels": {…}, "value": float}]}}`.

        They are read from the frontends' /metrics. Raises NotReachableError if none of them answers.
        """
        return read_metrics(self._cluster.management)

    # -- applications ----------------------------------------------------------------------------------------

    def register_application(
        self,
        name: str,
        input_type: str,
        default_output: str,
        slo_micros: int,
        *,
        on_default: str = "default",
        policy: Policy | None = None,
        cors_origins: Iterable[str] | None = None,
    ) -> None:
        """Register an application whose queries are answered within `slo_micros` microseconds.

        `input_type` is bytes, integers, floats, doubles or strings. `on_default` is the answer if no
        prediction is ready in time: `default` gives `default_output`, `error` an error (503), and `wait` a
        late prediction. `policy` is a selection policy, by its name or a dict with its configuration; by
        default a single model answers. Scripts of web pages from `cors_origins`, such as
        `["https://shop.example"]` or `["*"]`, may query it from a browser. The same registration again
        returns with a line in the log; raises ManagementError, which names the difference, if the application
        is registered otherwise.
        """
        application = names.parse_application(
            name, input_type, default_output, slo_micros, on_default, policy, cors_origins
        )
        self._cluster.applications.register(application)

    def unregister_application(self, name: str) -> None:
        """Unregister an application."""
        self._cluster.applications.delete(name)

    def delete_application(self, name: str) -> None:
        """Unregister an application (Clipper's older name of unregister_application)."""
        self._cluster.applications.delete(name)

    def link_model_to_app(
        self, app_name: str, model_name: str | Iterable[str], *, weights: Iterable[float] | None = None
    ) -> None:
        """Link an application to a model of its input type, whose current version then answers queries.

        Several models need a policy for several. With `weights`, one number for each model, the models become
        arms of the policy, whose other arms are unchanged. Raises ManagementError if one of them is unknown.
        """
        self._cluster.applications.link(app_name, model_name, weights)

    def unlink_model_from_app(self, app_name: str, model_name: str) -> None:
        """Unlink a model from an application."""
        self._cluster.applications.unlink(app_name, model_name)

    def set_policy(self, app_name: str, policy: Policy) -> None:
        """Replace an application's selection policy, by its name or a dict with its configuration.

        Queries go on meanwhile, and counters learnt under the same loss are kept. `default` needs an
        application that is linked to one model at most.
        """
        self._cluster.applications.set_policy(app_name, policy)

    def get_policy_state(self, app_name: str, user_id: str | int | None = None) -> Record:
        """Return an application's policy state; its `arms` map each arm to share, feedback and mean loss.

        With `user_id` it is that user's state, which starts from the state for all users. The counters come
        from Redis. Feedback counts less with age, so counts are not whole numbers.
        """
        return self._cluster.applications.get_policy_state(app_name, user_id)

    def get_all_apps(self, verbose: bool = False) -> list[Any]:
        """Return the names of all applications, or with `verbose` their records."""
        return self._cluster.applications.get_all(verbose=verbose)

    def get_app_info(self, name: str) -> Record | None:
        """Return an application's record, or None if it is unknown."""
        return self._cluster.applications.get_info(name)

    def get_linked_models(self, app_name: str) -> list[str]:
        """Return the names of the models that an application is linked to.

        Raises ManagementError if there is no such application.
        """
        return self._cluster.applications.get_linked_models(app_name)

    # -- models ----------------------------------------------------------------------------------------------

    def build_and_deploy_model(
        self,
        name: str,
        version: str | int,
        input_type: str,
        model_data_path: str | Path,
        base_image: str,
        labels: Iterable[str] | None = None,
        container_registry: str | None = None,
        num_replicas: int = 1,
        batch_size: int = -1,
        pkgs_to_install: Iterable[str] | None = None,
        **options: Unpack[DeployOptions],
    ) -> None:
        """Build the image of a model's folder, and deploy it; see build_model() and deploy_model().

        A version that is registered otherwise is refused. Raises BuildError if the build fails.
        """
        request = make_deploy_request(name, version, input_type, labels, num_replicas, batch_size, options)
        build = make_build_spec(
            request.model, model_data_path, base_image, container_registry, pkgs_to_install
        )
        self._cluster.deployment.build_and_deploy(build, request)

    def build_model(
        self,
        name: str,
        version: str | int,
        model_data_path: str | Path,
        base_image: str,
        container_registry: str | None = None,
        pkgs_to_install: Iterable[str] | None = None,
    ) -> str:
        """Build the image of a model's folder, and return the reference that deploy_model() takes.

        `base_image` is an image, or `default` for the Python runtime. `pkgs_to_install` are requirements, as
        pip takes them. Needs no running cluster. Raises BuildError with the last lines of the build.
        """
        model = names.parse_model_version(name, version)
        spec = make_build_spec(model, model_data_path, base_image, container_registry, pkgs_to_install)
        return build(self.cm, spec)

    def deploy_model(
        self,
        name: str,
        version: str | int,
        input_type: str,
        image: str,
        labels: Iterable[str] | None = None,
        num_replicas: int = 1,
        batch_size: int = -1,
        **options: Unpack[DeployOptions],
    ) -> None:
        """Start replicas of a new model version, wait until they are ready, and make it current.

        A `batch_size` of -1 is learnt. `options` are those of DeployOptions: resources, devices, timeout_s,
        environment, sample_input, output_type and cache_ttl_s. The same deployment again returns with a line
        in the log. Raises ClipperException if the version is registered otherwise, and DeploymentError with
        the last lines of the log if a replica keeps failing or is not ready within `timeout_s` seconds: then
        nothing is registered or left running, and the same version can be deployed again.
        """
        request = make_deploy_request(name, version, input_type, labels, num_replicas, batch_size, options)
        self._cluster.deployment.deploy(request, image)

    def register_model(
        self,
        name: str,
        version: str | int,
        input_type: str,
        image: str | None = None,
        labels: Iterable[str] | None = None,
        batch_size: int = -1,
        *,
        output_type: str = "json",
        cache_ttl_s: float | None = None,
    ) -> None:
        """Register a model version whose replicas are started elsewhere, which makes it current.

        `output_type` is `json` or `string`. Outputs are cached for `cache_ttl_s` seconds: 0 is not at all,
        None as long as there is room.

        The same registration again returns with a line in the log.
        """
        model = names.parse_known_model(name, version)
        registration = names.parse_registration(
            model, input_type, image or NO_CONTAINER, labels, batch_size, output_type, cache_ttl_s
        )
        self._cluster.models.register(registration)

    def set_model_version(
        self,
        name: str,
        version: str | int,
        num_replicas: int | None = None,
        *,
        timeout_s: float = SCALE_TIMEOUT_S,
    ) -> None:
        """Make a registered version current, with `num_replicas` replicas unless that is None.

        Raises DeploymentError if new replicas are not connected within `timeout_s` seconds.
        """
        if num_replicas is not None:
            num_replicas = names.parse_whole_number(num_replicas, "num_replicas")
        model = names.parse_known_model(name, version)
        self._cluster.replicas.make_current(model, num_replicas, timeout_s)

    def purge_cache(self, name: str, version: str | int | None = None, *, replica: str | None = None) -> None:
        """Drop a version's cached outputs, by default the current one's, from all query frontends.

        With `replica`, drop those of one replica that gave wrong outputs, and keep none of it later: an
        instance id, as in the query frontends' logs and in get_all_model_replicas(verbose=True).
        """
        self._cluster.models.purge_cache(self._cluster.models.pick(name, version), replica)

    def get_current_model_version(self, name: str) -> str:
        """Return a model's current version. Raises ClipperException if it has none."""
        return self._cluster.models.get_current(name).version

    def get_all_models(self, verbose: bool = False) -> list[Any]:
        """Return all registered versions as `name:version`, or with `verbose` their records."""
        return self._cluster.models.get_all(verbose=verbose)

    def get_model_info(self, name: str, version: str | int) -> Record | None:
        """Return a model version's record, or None if it is unknown."""
        return self._cluster.models.get_info(names.parse_known_model(name, version))

    def test_predict_function(
        self, query: Mapping[str, Any], func: Callable[[Any], Any], input_type: str
    ) -> list[Any] | str:
        """Return the outputs of a model made of `func` for a query's `input` or `input_batch`.

        The outputs are a list; a text instead describes a fault of the query or of the function. No cluster
        is needed. Exceptions of `func` are raised.
        """
        return try_function(query, func, input_type)

    # -- replicas --------------------------------------------------------------------------------------------

    def get_num_replicas(self, name: str, version: str | int | None = None) -> int:
        """Return the wanted number of replicas of a version, by default the current one."""
        return self._cluster.replicas.get_num(self._cluster.models.pick(name, version))

    def set_num_replicas(
        self,
        name: str,
        num_replicas: int,
        version: str | int | None = None,
        *,
        timeout_s: float = SCALE_TIMEOUT_S,
    ) -> None:
        """Change the number of replicas of a version (by default the current one), and wait for new ones.

        Raises DeploymentError if they are not connected within `timeout_s` seconds; they go on trying.
        """
        num_replicas = names.parse_whole_number(num_replicas, "num_replicas")
        self._cluster.replicas.set_num(self._cluster.models.pick(name, version), num_replicas, timeout_s)

    def get_all_model_replicas(self, verbose: bool = False) -> list[Any]:
        """Return all connected replicas as `name:version:replica`, or with `verbose` their records."""
        return self._cluster.models.get_all_replicas(verbose=verbose)

    def get_model_replica_info(self, name: str, version: str | int, replica_id: int) -> Record | None:
        """Return a connected replica's record, or None if it is unknown."""
        return self._cluster.models.get_replica_info(names.parse_known_model(name, version), replica_id)

    def stop_models(self, model_names: Iterable[str]) -> None:
        """Stop and unregister all versions of these models."""
        self._cluster.stopping.stop_models(model_names)

    def stop_versioned_models(self, model_versions_dict: Mapping[str, Iterable[str | int]]) -> None:
        """Stop and unregister these versions: `{"model name": ["version", ...]}`."""
        self._cluster.stopping.stop_versions(model_versions_dict)

    def stop_inactive_model_versions(self, model_names: Iterable[str]) -> None:
        """Stop and unregister all versions of these models but the current and the serving one."""
        self._cluster.stopping.stop_inactive(model_names)

    def prune_models(self, *, dry_run: bool = False) -> list[UnusedImage]:
        """Remove what was built for versions that are neither registered nor deployed, and return it.

        With `dry_run` nothing is removed. On this machine these are bundles, on Docker images of the engine.
        """
        return self._cluster.images.prune(dry_run=dry_run)

    def stop_all_model_containers(self) -> None:
        """Stop and unregister every version of every model."""
        self._cluster.stopping.stop_all_models()

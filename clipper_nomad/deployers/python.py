"""Deployment of any Python callable as a model, with Clipper's signatures and DeployOptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.deployers.endpoint import endpoint
from clipper_nomad.deployers.packing.callables import check_callable
from clipper_nomad.deployers.packing.closure import packed_closure
from clipper_nomad.operations.requests import check_options
from clipper_nomad.types import DeployOptions


def create_endpoint(
    clipper_conn: ClipperConnection,
    name: str,
    input_type: str,
    func: Callable[[Any], Any],
    default_output: str = "None",
    version: str | int = 1,
    slo_micros: int = 3000000,
    labels: Iterable[str] | None = None,
    registry: str | None = None,
    base_image: str = "default",
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Iterable[str] | None = None,
    *,
    files: Iterable[str | Path] = (),
    modules: Iterable[str | ModuleType] = (),
    **options: Unpack[DeployOptions],
) -> None:
    """Deploy `func` as a model, register an application of the same name, and link the two.

    `slo_micros` is in microseconds; answers that are not ready by then are `default_output`. See
    deploy_python_closure() for the other arguments, the options and the errors. Raises ManagementError if
    the application is registered otherwise, or the management frontend refuses it.
    """
    check_options(options)
    check_callable(func)
    with endpoint(clipper_conn, name, input_type, default_output, slo_micros):
        deploy_python_closure(
            clipper_conn,
            name,
            version,
            input_type,
            func,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            pkgs_to_install,
            files=files,
            modules=modules,
            **options,
        )


def deploy_python_closure(
    clipper_conn: ClipperConnection,
    name: str,
    version: str | int,
    input_type: str,
    func: Callable[[Any], Any],
    base_image: str = "default",
    labels: Iterable[str] | None = None,
    registry: str | None = None,
    num_replicas: int = 1,
    batch_size: int = -1,
    pkgs_to_install: Iterable[str] | None = None,
    *,
    files: Iterable[str | Path] = (),
    modules: Iterable[str | ModuleType] = (),
    **options: Unpack[DeployOptions],
) -> None:
    """Deploy `func` as a model version, and return when it is ready and current.

    `func` is any callable, such as a bound method `clf.predict`. It takes a batch of inputs: one NumPy matrix
    (n, d) if they are of equal length, else an object array of arrays; for `strings` an object array of str.
    It returns one output for each input. Objects of the user's script or notebook that it refers to travel
    with it, and so do the user's own modules, with the data files of their packages. Packages are installed
    in their versions here, unless `pkgs_to_install` names others, as pip takes them.

    `modules` are names of modules that no reference shows, since they are imported by a computed name; of a
    package all modules travel. `files` are paths of files and folders. In the replica they are beside the
    modules, by the same paths from the working directory as here, or by their names if they are outside of
    the current directory. `options` are those of DeployOptions: resources, devices, timeout_s, environment,
    sample_input, output_type and cache_ttl_s. The same deployment again, of a function that pickles alike,
    returns with a line in the log.

    Raises ClipperException if `func` cannot be a model or be pickled, or the version is registered otherwise,
    BuildError if the image cannot be built, and DeploymentError with the last lines of the log if a replica
    keeps failing or is not ready within `timeout_s` seconds.
    """
    check_options(options)
    with packed_closure(func, pkgs_to_install, base_image=base_image, files=files, modules=modules) as packed:
        clipper_conn.build_and_deploy_model(
            name,
            version,
            input_type,
            packed.folder,
            base_image,
            labels,
            registry,
            num_replicas,
            batch_size,
            packed.pkgs_to_install,
            **options,
        )

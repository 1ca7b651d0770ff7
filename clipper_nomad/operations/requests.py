"""Requests to build and to deploy a model version, checked before a manager is asked for anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from clipper_container.settings import SAMPLE_INPUT
from clipper_nomad import names
from clipper_nomad.errors import ClipperException
from clipper_nomad.operations.environments import make_environment
from clipper_nomad.types import (
    BuildSpec,
    DeployOptions,
    DeploySpec,
    Device,
    ModelRegistration,
    ModelVersion,
    Resources,
)

#: Loading a large model takes minutes; a replica that keeps failing is noticed long before.
DEPLOY_TIMEOUT_S = 300.0
_OPTIONS = tuple(DeployOptions.__annotations__)


@dataclass(frozen=True)
class DeployRequest:
    """A version to deploy: its registration (still without an image), its replicas and their time."""

    registration: ModelRegistration
    num_replicas: int
    resources: Resources
    devices: tuple[Device, ...]
    timeout_s: float
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> ModelVersion:
        """Return the version."""
        return self.registration.model

    @property
    def has_sample(self) -> bool:
        """Return whether each replica is to answer a sample input."""
        return SAMPLE_INPUT in self.environment

    def make_spec(self, image: str) -> DeploySpec:
        """Return the replicas as a manager is asked for them."""
        return DeploySpec(
            model=self.model,
            input_type=self.registration.input_type,
            image=image,
            num_replicas=self.num_replicas,
            resources=self.resources,
            devices=self.devices,
            environment=self.environment,
        )

    def make_registration(self, image: str) -> ModelRegistration:
        """Return the version's registration, which also identifies what is deployed.

        Two deployments are identified alike if nothing differs but the number of replicas.
        """
        what = [replace(self.make_spec(image), num_replicas=0), self.registration]
        digest = hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()
        return replace(self.registration, container_name=image, deployed_as=digest)


def make_deploy_request(
    name: object,
    version: object,
    input_type: object,
    labels: object,
    num_replicas: object,
    batch_size: object,
    options: Mapping[str, Any],
) -> DeployRequest:
    """Return the arguments of a deployment, checked.

    Raises ClipperException for a bad value, and TypeError for an option that there is not.
    """
    check_options(options)
    registration = names.parse_registration(
        names.parse_model_version(name, version),
        input_type,
        "",
        labels,
        batch_size,
        options.get("output_type", "json"),
        options.get("cache_ttl_s"),
    )
    return DeployRequest(
        registration=registration,
        num_replicas=names.parse_whole_number(num_replicas, "num_replicas"),
        resources=_parse_resources(options.get("resources")),
        devices=_parse_devices(options.get("devices", ())),
        timeout_s=names.parse_seconds(options.get("timeout_s", DEPLOY_TIMEOUT_S), "timeout_s"),
        environment=make_environment(
            options.get("environment"), options.get("sample_input"), registration.input_type
        ),
    )


def check_options(options: Mapping[str, object], more: Iterable[str] = ()) -> None:
    """Raise TypeError for an option that is not one of DeployOptions; `more` are those of the deployer."""
    for name in options:
        if name not in _OPTIONS:
            known = ", ".join((*_OPTIONS, *more))
            raise TypeError(f"{name!r} is not an option of a deployment: use one of {known}.")


def make_build_spec(
    model: ModelVersion,
    model_data_path: str | Path,
    base_image: str,
    container_registry: str | None,
    pkgs_to_install: Iterable[str] | None,
) -> BuildSpec:
    """Return a build as a manager is asked for it. Raises ClipperException if the folder is missing."""
    folder = Path(model_data_path).expanduser()
    if not folder.is_dir():
        raise ClipperException(
            f"model_data_path is {str(model_data_path)!r}: pass the path of an existing folder."
        )
    return BuildSpec(
        model=model,
        model_data_path=folder.resolve(),
        base_image=base_image,
        container_registry=container_registry,
        pkgs_to_install=_parse_packages(pkgs_to_install),
    )


def _parse_resources(resources: object) -> Resources:
    if resources is not None and not isinstance(resources, Resources):
        raise ClipperException(f"resources is {resources!r}: pass Resources, such as Resources(cpu=2).")
    return resources or Resources()


def _parse_devices(devices: object) -> tuple[Device, ...]:
    listed = tuple(devices) if isinstance(devices, Iterable) else (devices,)
    if not isinstance(devices, Iterable) or not all(isinstance(device, Device) for device in listed):
        raise ClipperException(
            f"devices is {devices!r}: pass a list of Device, such as [Device('nvidia/gpu')]."
        )
    return listed


def _parse_packages(pkgs_to_install: Iterable[str] | None) -> tuple[str, ...]:
    if isinstance(pkgs_to_install, str):
        raise ClipperException(
            f"pkgs_to_install is {pkgs_to_install!r}: pass a list of requirements, as pip takes them."
        )
    packages = tuple(pkgs_to_install or ())
    for package in packages:
        if not str(package).strip():
            raise ClipperException(f"pkgs_to_install holds {package!r}: use requirements, as pip takes them.")
    return packages

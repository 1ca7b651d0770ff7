"""Terraform's root `access` in a folder of a test's own, applied by OpenTofu to a cluster that runs.

The secure cluster's own agents have other tokens than those of this root.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.docker.engine import MissingServiceError, cache_dir, give_up, locked
from tests.support.nodes.tofu import Root, copy_configurations
from tests.support.nomad.cluster import NomadCluster
from tests.support.nomad.plan import DATACENTER
from tests.support.nomad.tools import require_tofu


class Access(Root):
    """The root, with the modules beside it, in a new folder."""

    def __init__(self, tofu: Path, folder: Path) -> None:
        copy_configurations(folder)
        super().__init__(tofu, folder / "access")

    def apply_only(self, variables: Mapping[str, Any], *targets: str) -> str:
        """Apply a part of the root, and return tofu's output."""
        self.set(variables)
        self._run("init", "-input=false")
        return self._apply(f"-target={target}" for target in targets)

    def replace(self, *resources: str) -> str:
        """Replace resources, and return tofu's output."""
        return self._apply(f"-replace={resource}" for resource in resources)

    def changes(self, variables: Mapping[str, Any]) -> dict[str, str]:
        """Return the planned action by resource: create, update, replace or delete."""
        self.set(variables)
        self._run("plan", "-input=false", "-out=plan")
        planned = json.loads(self._run("show", "-json", "plan"))["resource_changes"]
        actions = {each["address"]: each["change"]["actions"] for each in planned}
        return {
            address: "replace" if len(done) > 1 else done[0]
            for address, done in actions.items()
            if done != ["no-op"]
        }

    def destroy(self) -> str:
        """Destroy everything that the root made, and return tofu's output."""
        return self._run("destroy", "-input=false", "-auto-approve")

    def show_destruction(self) -> str:
        """Return tofu's plan of destroying everything."""
        return self._run("plan", "-input=false", "-destroy")

    def set(self, variables: Mapping[str, Any]) -> None:
        """Write the variables where tofu finds them."""
        given = self.directory / "tests.auto.tfvars.json"
        given.touch(mode=0o600)
        given.write_text(json.dumps(variables))

    def _apply(self, options: Iterable[str]) -> str:
        return self._run("apply", "-input=false", "-auto-approve", *options)


def find_tofu() -> Path:
    """Return OpenTofu; if it is missing, the test is skipped, or fails with CI=true."""
    try:
        return require_tofu()
    except MissingServiceError as error:
        give_up(str(error))
        raise


@contextlib.contextmanager
def applied_access(tofu: Path, folder: Path, variables: Mapping[str, Any]) -> Iterator[Access]:
    """Apply the root for a block, and destroy it afterwards; other processes wait meanwhile."""
    with locked(cache_dir() / "nomad" / "access.lock"):
        root = Access(tofu, folder)
        try:
            root.apply(variables)
            yield root
        finally:
            root.destroy()


def access_variables(cluster: NomadCluster) -> dict[str, Any]:
    """Return the inputs of `access` for the secure cluster, with new tokens for its node and three others."""
    site = cluster.site
    roles = {
        "tests-server": "server",
        "tests-client": "client",
        "tests-edge": "edge",
        site.plan.node_name: "client",
    }
    return {
        "nomad_address": site.nomad_url,
        "consul_address": site.consul_url,
        "ca_pem": site.ca_path.read_text(),
        "wait_s": 0,
        "datacenter": DATACENTER,
        "nodes": {name: {"role": role} for name, role in roles.items()},
        "fabio": {"address": site.address, "http_port": site.plan.ports.fabio_http},
        "consul_management_token": site.secrets.consul_management,
        "nomad_bootstrap_token": site.secrets.nomad_management,
        "consul_agent_tokens": {name: str(uuid.uuid4()) for name in roles},
        "consul_nomad_server_token": str(uuid.uuid4()),
        "consul_nomad_client_token": str(uuid.uuid4()),
        "consul_fabio_token": str(uuid.uuid4()),
    }

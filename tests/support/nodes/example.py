"""The example of terraform/modules/nodes/examples/own-machines, rendered from its own example.tfvars."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.nodes.material import Authority, make_material
from tests.support.nodes.plan import Node, Role
from tests.support.nodes.tofu import Root, copy_configurations
from tests.support.paths import REPOSITORY

_EXAMPLE = "modules/nodes/examples/own-machines"
#: The nodes of example.tfvars: the material must have the same.
PLACES: dict[str, tuple[str, Role]] = {
    "server-1": ("10.0.0.11", "server"),
    "server-2": ("10.0.0.12", "server"),
    "server-3": ("10.0.0.13", "server"),
    "cpu-1": ("10.0.0.21", "client"),
    "state-1": ("10.0.0.22", "client"),
    "gpu-1": ("10.0.0.31", "client"),
    "edge-1": ("10.0.0.41", "edge"),
}

REGISTRY = "registry.example:5000"
#: Name and password, in the form of Docker's config files.
REGISTRY_LOGIN = base64.b64encode(b"puller:only-clients-have-this").decode()

Entries = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class RenderedExample:
    """The rendered example: the files, secret files and user data of each node, and their folder here."""

    directory: Path
    material: Mapping[str, Any]
    files: Mapping[str, Entries]
    secret_files: Mapping[str, Entries]
    user_data: Mapping[str, str]

    def path(self, node: str, path: str) -> Path:
        """Return where a file of a node was written."""
        return self.directory / node / path.removeprefix("/")

    def user_data_path(self, node: str) -> Path:
        """Return where the user data of a node was written."""
        return self.directory / f"{node}.yaml"


def fetch_command(node: str) -> str:
    """Return the command by which a node fetches its secrets."""
    return f"sh /store/fetch {node}"


def render_example(tofu: Path, directory: Path) -> RenderedExample:
    """Apply the example in an empty folder, and write the rendered files there."""
    configurations = directory / "terraform"
    copy_configurations(configurations)
    root = Root(tofu, configurations / _EXAMPLE)
    checkout = REPOSITORY / "terraform" / _EXAMPLE
    shutil.copy(checkout / "example.tfvars", root.directory / "example.auto.tfvars")
    nodes = [Node(name, address, role, Path("/")) for name, (address, role) in PLACES.items()]
    material = make_material(Authority(directory / "authority"), nodes)
    root.apply(
        {
            "material": material,
            "registry_logins": {REGISTRY: {"username": "puller", "password": "only-clients-have-this"}},
            "fetch_secrets": {name: fetch_command(name) for name in PLACES},
        }
    )
    found = root.outputs()
    rendered = RenderedExample(
        directory / "nodes", material, found["files"], found["secret_files"], found["user_data"]
    )
    _write(rendered)
    return rendered


def secrets_of(material: Mapping[str, Any]) -> list[str]:
    """Return all secrets of the material, private keys without their first and last line."""
    certificates = [pair["private_key_pem"] for pair in material["certificates"].values()]
    keys = ["".join(pem.splitlines()[1:-1]) for pem in certificates]
    tokens = [value for name, value in material.items() if name.endswith(("_token", "_gossip_key"))]
    return [*keys, *tokens, *material["consul_agent_tokens"].values(), REGISTRY_LOGIN]


def bundle_of(rendered: RenderedExample, node: str) -> str:
    """Return the secret files of a node in the form of a secret store."""
    return json.dumps(rendered.secret_files[node])


def _write(rendered: RenderedExample) -> None:
    for node in PLACES:
        for path, entry in {**rendered.files[node], **rendered.secret_files[node]}.items():
            written = rendered.path(node, path)
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(entry["content"])
        rendered.user_data_path(node).write_text(rendered.user_data[node])

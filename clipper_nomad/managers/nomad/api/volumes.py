"""Dynamic host volumes: folders that Nomad makes on a node, and that outlive the jobs that mount them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI, quoted
from clipper_nomad.managers.nomad.clients.session import RefusedError

_READY = "ready"
_IN_USE = "in use"
_PAUSE_S = 0.5


@dataclass(frozen=True)
class VolumeRequest:
    """A volume to make. `constraints` are (attribute, operator, value), as in a jobspec.

    `parameters` are the plugin's: `mkdir` takes `mode` (octal), `uid` and `gid`. Nomad chooses among
    the nodes of `node_pool` that have the plugin and meet the constraints.
    """

    name: str
    plugin_id: str = "mkdir"
    node_pool: str | None = None
    constraints: Sequence[tuple[str, str, str]] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Volume:
    """An existing volume. `state` is Nomad's word: pending, ready, unavailable, deleted."""

    id: str
    name: str
    node_id: str
    state: str


class Volumes:
    """The dynamic host volumes of one namespace. Every method raises ContainerManagerError."""

    def __init__(self, api: NomadAPI) -> None:
        self._api = api

    def find(self, name: str) -> list[Volume]:
        """Return the volumes of this name; there may be one on each node."""
        listed = self._api.get(f"Cannot look for the volume {name}", "volumes", type="host").body or []
        return [_read(each) for each in listed if each["Name"] == name]

    def create(self, request: VolumeRequest, timeout_s: float) -> Volume:
        """Make a volume, and return when it is ready.

        Raises ContainerManagerError, with Nomad's words, if no node can have it. The plugin mkdir is part
        of Nomad since 1.10.
        """
        attempt = f"Cannot make the volume {request.name}"
        answer = self._api.send(attempt, "PUT", "volume/host/create", {"Volume": self._describe(request)})
        return self._wait_until_ready(attempt, answer["Volume"]["ID"], timeout_s)

    def _describe(self, request: VolumeRequest) -> dict[str, Any]:
        described = {
            "Name": request.name,
            "Namespace": self._api.access.namespace,
            "PluginID": request.plugin_id,
            "NodePool": request.node_pool,
            "Constraints": [
                {"LTarget": attribute, "Operand": operator, "RTarget": value}
                for attribute, operator, value in request.constraints
            ],
            # The capability that a jobspec requests by default.
            "RequestedCapabilities": [{"AttachmentMode": "file-system", "AccessMode": "single-node-writer"}],
            "Parameters": dict(request.parameters),
        }
        return {name: value for name, value in described.items() if value is not None}

    def _wait_until_ready(self, attempt: str, volume_id: str, timeout_s: float) -> Volume:
        path = f"volume/host/{quoted(volume_id)}"
        deadline_s = time.monotonic() + timeout_s
        answer = self._api.get(attempt, path)
        while (volume := _read(answer.body)).state != _READY:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise ContainerManagerError(
                    f"{attempt}: after {timeout_s:g} s it is {volume.state} on the node {volume.node_id}. "
                    f"Look at it with `nomad volume status -type host {volume_id}`."
                )
            answer = self._api.wait_for_change(attempt, path, answer.index, left_s)
        return volume

    def delete(self, name: str, timeout_s: float) -> None:
        """Delete the volumes of this name with all that is in them, if there are any.

        If an allocation still claims one, deleting it is tried again until `timeout_s` is over.
        """
        deadline_s = time.monotonic() + timeout_s
        for volume in self.find(name):
            while not self._try_to_delete(volume, is_last=time.monotonic() >= deadline_s):
                time.sleep(_PAUSE_S)

    def _try_to_delete(self, volume: Volume, *, is_last: bool) -> bool:
        """Delete a volume and return whether it is gone; if it is in use, raise only the last time."""
        attempt = f"Cannot delete the volume {volume.name}"
        try:
            self._api.send(attempt, "DELETE", f"volume/host/{quoted(volume.id)}")
        except RefusedError as error:
            if error.status == 404:
                return True
            if is_last or _IN_USE not in error.text:
                raise
            return False
        return True


def _read(body: Mapping[str, Any]) -> Volume:
    return Volume(
        id=body["ID"],
        name=body["Name"],
        node_id=body.get("NodeID") or "",
        state=body.get("State") or "",
    )

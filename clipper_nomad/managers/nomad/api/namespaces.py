"""Nomad's namespaces, of which a cluster's jobs are all in one."""

from __future__ import annotations

from clipper_nomad.managers.nomad.clients.nomad import NomadAPI, quoted
from clipper_nomad.managers.nomad.clients.session import RefusedError

_NOT_FOUND = 404
_DESCRIPTION = "Made for clusters of Clipper"


def provide_namespace(api: NomadAPI, name: str) -> None:
    """Make a namespace unless it exists. Raises ContainerManagerError.

    Making one needs a management token if ACLs are on.
    """
    path = f"namespace/{quoted(name)}"
    try:
        api.get(f"Cannot look for the namespace {name}", path)
    except RefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        body = {"Name": name, "Description": _DESCRIPTION}
        api.ask(
            f"Cannot make the namespace {name}",
            lambda: api.client.namespace.create_namespace(body),
            is_read=False,
        )

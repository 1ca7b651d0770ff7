"""The whole document: the paths of both frontends, and the schemas that they refer to."""

from __future__ import annotations

from typing import Any

import msgspec

from clipper_frontend.openapi.admin_calls import admin_paths
from clipper_frontend.openapi.parts import Schemas
from clipper_frontend.openapi.queries import query_paths
from clipper_frontend.openapi.status import status_paths

#: The version of the interface, which is not that of the software: calls are added, and stay.
VERSION = "1"


def document() -> dict[str, Any]:
    """Return the document as plain values for JSON."""
    schemas = Schemas()
    paths = query_paths(schemas) | admin_paths(schemas) | status_paths()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Clipper on Nomad",
            "version": VERSION,
            "description": (
                "Query frontends answer predict and update calls; the management frontend answers calls "
                "under /admin. Keys that a call does not know are ignored."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas.components},
    }


def render() -> bytes:
    """Return the document's text."""
    return msgspec.json.format(msgspec.json.encode(document()), indent=2) + b"\n"

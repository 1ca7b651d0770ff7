"""The parts that operations are made of: schemas of types, bodies, responses, servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

QUERY_FRONTEND: Final = {"url": "http://localhost:1337", "description": "a query frontend"}
MANAGEMENT_FRONTEND: Final = {"url": "http://localhost:1338", "description": "the management frontend"}

_REF_TEMPLATE: Final = "#/components/schemas/{name}"


class Schemas:
    """Makes JSON schemas of types; structs become components that schemas refer to."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, *types: Any) -> dict[str, Any]:
        """Return the schema of a value that is of one of these types."""
        schemas, components = msgspec.json.schema_components(types, ref_template=_REF_TEMPLATE)
        for name, component in components.items():
            _leave_out_null_defaults(component)
            if self.components.setdefault(name, component) != component:
                raise ValueError(f"two types of the interface are called {name}: rename one")
        return schemas[0] if len(schemas) == 1 else {"anyOf": list(schemas)}


def _leave_out_null_defaults(component: Mapping[str, Any]) -> None:
    """Leave out defaults that only mean that a key may be missing: null is not always a value of its type."""
    for schema in component.get("properties", {}).values():
        if "default" in schema and schema["default"] is None:
            del schema["default"]


def json_content(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a JSON body."""
    return {"application/json": {"schema": schema}}


def text_content(description: str = "") -> dict[str, Any]:
    """Return the content of a body that is text."""
    schema = {"type": "string"} | ({"description": description} if description else {})
    return {"text/plain": {"schema": schema}}


def response(description: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response."""
    return {"description": description, "content": content}


def operation(
    name: str, doc: str | None, responses: Mapping[str, Any], *, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an operation, described by the first line of `doc`."""
    summary = (doc or "").strip().partition("\n")[0]
    made: dict[str, Any] = {"operationId": name, "summary": summary}
    if body is not None:
        made["requestBody"] = {"required": True, "content": json_content(body)}
    return made | {"responses": dict(responses)}


def path(servers: Iterable[Mapping[str, str]], **operations: Any) -> dict[str, Any]:
    """Return a path that these servers answer, with its operations by method."""
    return {"servers": list(servers), **operations}

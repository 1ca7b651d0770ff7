"""The admin calls in the document, each as the table of calls types it."""

from __future__ import annotations

from types import UnionType
from typing import Any, get_args, get_type_hints

from clipper_frontend.management.calls import CALLS, Call
from clipper_frontend.openapi.parts import (
    MANAGEMENT_FRONTEND,
    Schemas,
    json_content,
    operation,
    path,
    response,
    text_content,
)


def admin_paths(schemas: Schemas) -> dict[str, Any]:
    """Return the paths under /admin that take a body."""
    return {
        f"/admin/{name}": path([MANAGEMENT_FRONTEND], post=_operation(name, call, schemas))
        for name, call in CALLS.items()
    }


def _operation(name: str, call: Call, schemas: Schemas) -> dict[str, Any]:
    responses = {
        "200": response("The call was carried out.", _answer(call, schemas)),
        "400": response("The call cannot be carried out.", text_content("What was asked and what is wrong.")),
        "408": response("The body did not arrive in time.", text_content()),
        "413": response("The body is too large.", text_content()),
        "503": response("Redis cannot be reached: try again in a moment.", text_content()),
    }
    return operation(name, call.run.__doc__, responses, body=schemas.of(call.body_type))


def _answer(call: Call, schemas: Schemas) -> dict[str, Any]:
    """Return the content of a call's answer, by what its function returns."""
    returned = get_type_hints(call.run)["return"]
    types = get_args(returned) if isinstance(returned, UnionType) else (returned,)
    values = [each for each in types if each is not str]
    content = text_content() if len(values) < len(types) else {}
    return content | (json_content(schemas.of(*values)) if values else {})

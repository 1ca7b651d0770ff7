"""Providers' schemas, read from the Python packages that Pulumi makes of the same schemas.

A wheel's generated classes are parsed, never imported, and become the output of `tofu providers schema -json`
for one provider: the arguments and blocks, required or not, and their types; which attributes are computed or
sensitive. The allowed values are missing.
"""

from __future__ import annotations

import ast
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.tofu.names import (
    Provider,
    attribute_name,
    block_name,
    is_flattened_list,
    is_set,
    requires_name,
)

_SCALARS = {"str": "string", "int": "number", "float": "number", "bool": "bool", "Any": "dynamic"}
_COLLECTIONS = {"Sequence": "list", "Mapping": "map"}
_ID = {"type": "string", "computed": True}


@dataclass(frozen=True)
class _Property:
    """The type of a property: its collections from outside in, and a scalar or a class's name."""

    always_there: bool
    collections: tuple[str, ...]
    element: str

    @property
    def is_object(self) -> bool:
        return self.element not in _SCALARS.values()

    @property
    def is_block(self) -> bool:
        return self.is_object and "map" not in self.collections


_Properties = Mapping[str, _Property]


@dataclass
class _Folder:
    """A folder's classes: resources, the objects of their arguments, and those of their outputs."""

    resources: dict[str, ast.ClassDef] = field(default_factory=dict)
    taken: dict[str, _Properties] = field(default_factory=dict)
    given: dict[str, _Properties] = field(default_factory=dict)


def read_schema(wheel: Path, provider: Provider) -> dict[str, Any]:
    """Return the schema of a provider, read from its package in `wheel`."""
    with zipfile.ZipFile(wheel) as archive:
        root = _read_folder(archive, provider.package)
        folders = {"": root}
        resources: dict[str, Any] = {}
        for name, class_path in provider.resources.items():
            folder_name, _, class_name = class_path.rpartition(".")
            if folder_name not in folders:
                folders[folder_name] = _read_folder(archive, f"{provider.package}/{folder_name}")
            resources[name] = _translate_resource(folders[folder_name], name, class_name)
    provider_block = _translate_block(root, provider.name, root.taken["ProviderArgs"], {})
    return {"provider": {"block": provider_block}, "resource_schemas": resources}


def _read_folder(archive: zipfile.ZipFile, path: str) -> _Folder:
    folder = _Folder()
    for name in archive.namelist():
        if Path(name).parent.as_posix() == path and name.endswith(".py"):
            for node in ast.parse(archive.read(name)).body:
                if isinstance(node, ast.ClassDef):
                    _sort_in(folder, node, is_output=Path(name).stem == "outputs")
    return folder


def _sort_in(folder: _Folder, node: ast.ClassDef, is_output: bool) -> None:
    if is_output:
        folder.given[node.name] = _parameters(node)
    elif any(ast.unparse(base) == "pulumi.CustomResource" for base in node.bases):
        folder.resources[node.name] = node
    elif node.name.endswith("Args"):
        folder.taken[node.name] = _parameters(node)


def _parameters(node: ast.ClassDef) -> _Properties:
    """Return the properties that a class's constructor takes."""
    start = next(one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    return {one.arg: _read_type(one.annotation) for one in start.args.kwonlyargs if one.annotation}


def _getters(node: ast.ClassDef) -> Iterator[tuple[ast.FunctionDef, str]]:
    """Yield a resource's properties, each with its name outside of Python."""
    for function in (one for one in node.body if isinstance(one, ast.FunctionDef)):
        for decorator in function.decorator_list:
            if ast.unparse(decorator).startswith("pulumi.getter"):
                keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                yield function, next((ast.literal_eval(one.value) for one in keywords), function.name)


def _read_type(annotation: ast.expr) -> _Property:
    always_there, collections = True, list[str]()
    while isinstance(annotation, ast.Subscript):
        outer = ast.unparse(annotation.value).rpartition(".")[2]
        inner = annotation.slice
        if outer in _COLLECTIONS:
            collections.append(_COLLECTIONS[outer])
            inner = inner.elts[-1] if isinstance(inner, ast.Tuple) else inner
        elif outer == "Optional" and not collections:
            always_there = False
        annotation = inner
    name = str(annotation.value) if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    name = name.rpartition(".")[2]
    return _Property(always_there, tuple(collections), _SCALARS.get(name, name))


def _translate_resource(folder: _Folder, name: str, class_name: str) -> dict[str, Any]:
    node = folder.resources[class_name]
    taken = folder.taken[f"{node.name}Args"]
    getters = list(_getters(node))
    given = {function.name: _read_type(function.returns) for function, _ in getters if function.returns}
    block = _translate_block(folder, name, taken, given)
    attributes = block["attributes"]
    attributes.setdefault("id", _ID)
    secret = _secret_outputs(node)
    for function, outside_name in getters:
        if outside_name in secret and function.name in attributes:
            attributes[function.name]["sensitive"] = True
    if requires_name(name):
        attributes["name"] = {"type": "string", "required": True}
    return {"version": 0, "block": block}


def _secret_outputs(node: ast.ClassDef) -> set[str]:
    """Return the properties, by their names outside of Python, that a resource's class keeps secret."""
    keywords = (one for one in ast.walk(node) if isinstance(one, ast.keyword))
    return {
        str(ast.literal_eval(element))
        for keyword in keywords
        if keyword.arg == "additional_secret_outputs" and isinstance(keyword.value, ast.List)
        for element in keyword.value.elts
    }


def _translate_block(folder: _Folder, path: str, taken: _Properties, given: _Properties) -> dict[str, Any]:
    """Return a block: arguments and blocks of what is taken, attributes of what is only an output."""
    attributes: dict[str, Any] = {}
    blocks: dict[str, Any] = {}
    for name in (*taken, *(name for name in given if name not in taken)):
        argument, output = taken.get(name), given.get(name)
        if argument is not None and argument.is_block:
            made = block_name(name, repeated=bool(argument.collections))
            blocks[made] = _translate_nested(folder, f"{path}.{made}", argument, output)
        else:
            made = attribute_name(name)
            attributes[made] = _translate_attribute(folder, f"{path}.{made}", argument, output)
    return {"attributes": attributes, "block_types": blocks}


def _translate_nested(
    folder: _Folder, path: str, argument: _Property, output: _Property | None
) -> dict[str, Any]:
    given = folder.given.get(output.element, {}) if output else {}
    return {
        "nesting_mode": "set" if is_set(path) else "list",
        "block": _translate_block(folder, path, folder.taken[argument.element], given),
        "min_items": int(argument.always_there),
        "max_items": 0 if argument.collections else 1,
    }


def _translate_attribute(
    folder: _Folder, path: str, argument: _Property | None, output: _Property | None
) -> dict[str, Any]:
    described = argument or output
    assert described is not None
    required = argument is not None and argument.always_there
    return {
        "type": _translate_type(folder, path, described),
        "required": required,
        "optional": argument is not None and not required,
        # An output that is always there, though its argument is optional, is filled in by the provider.
        "computed": argument is None or (output is not None and output.always_there and not required),
        "write_only": path.endswith("_wo"),
    }


def _translate_type(folder: _Folder, path: str, described: _Property) -> Any:
    """Return the type as OpenTofu writes it in JSON: "string", ["list", "string"], ["object", {...}]."""
    made: Any = described.element
    collections = described.collections
    if described.is_object:
        properties = folder.given.get(described.element) or folder.taken[described.element]
        names = {name: attribute_name(name) for name in properties}
        made = [
            "object",
            {
                names[name]: _translate_type(folder, f"{path}.{names[name]}", one)
                for name, one in properties.items()
            },
        ]
    if not collections and (described.is_object or is_flattened_list(path)):
        collections = ("list",)
    for collection in reversed(collections):
        made = ["set" if is_set(path) and collection == "list" else collection, made]
    return made

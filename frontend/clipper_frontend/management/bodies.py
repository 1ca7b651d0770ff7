"""The bodies of admin calls, and their decoding with a text that explains the error.

Types are strict, unknown fields are ignored. The registry decides whether a call can be carried out.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

#: One day, which is longer than any useful latency objective.
MAX_SLO_MICROS = 24 * 3600 * 1_000_000
_MAX_INT32 = 2**31 - 1
MAX_DEPLOYED_AS = 255

#: A selection policy: its name, or an object with the keys of `selection.config`.
Policy: TypeAlias = str | dict[str, Any]

_T = TypeVar("_T", bound=msgspec.Struct)


class BadBodyError(Exception):
    """A body does not fit the call; the message explains it to the user."""


class AddApplication(msgspec.Struct):
    """Body of add_app. `on_default`, `policy` and `cors_origins` are this project's additions."""

    name: str
    input_type: str
    default_output: str
    latency_slo_micros: Annotated[int, msgspec.Meta(ge=1, le=MAX_SLO_MICROS)]
    on_default: str | None = None
    policy: Policy | None = None
    cors_origins: list[str] | None = None


class NamedApplication(msgspec.Struct):
    """Body of delete_app and get_application."""

    name: str


class Listing(msgspec.Struct):
    """Body of the calls that return lists: of names, or of objects with `verbose`."""

    verbose: bool = False


class SetPolicy(msgspec.Struct):
    """Body of set_policy."""

    app_name: str
    policy: Policy


class GetPolicyState(msgspec.Struct):
    """Body of get_policy_state; without a user, the answer is the state that all users share."""

    app_name: str
    user_id: str | int | None = None


class AddLinks(msgspec.Struct):
    """Body of add_model_links. `weights`, one for each model, are this project's addition."""

    app_name: str
    model_names: list[str]
    weights: list[float] | None = None


class DeleteLinks(msgspec.Struct):
    """Body of delete_model_links."""

    app_name: str
    model_names: list[str]


class LinksOfApplication(msgspec.Struct):
    """Body of get_linked_models."""

    app_name: str


class AddModel(msgspec.Struct):
    """Body of add_model. The fields with a default are this project's additions.

    `output_type` is `json` or `string`. Outputs are cached for `cache_ttl_s` seconds: 0 is not at all, null
    as long as there is room. `deployed_as` is kept for the admin library.
    """

    model_name: str
    model_version: str
    labels: list[str]
    input_type: str
    container_name: str
    model_data_path: str
    batch_size: Annotated[int, msgspec.Meta(ge=-1, le=_MAX_INT32)]
    output_type: str = "json"
    cache_ttl_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    deployed_as: Annotated[str, msgspec.Meta(max_length=MAX_DEPLOYED_AS)] = ""


class NamedVersion(msgspec.Struct):
    """Body of delete_versioned_model, set_model_version and get_model."""

    model_name: str
    model_version: str


class PurgeCache(msgspec.Struct):
    """Body of purge_cache. With `instance_id`, only what that replica answered is dropped."""

    model_name: str
    model_version: str
    instance_id: str | None = None


class NamedModel(msgspec.Struct):
    """Body of get_model_versions."""

    model_name: str


class NamedReplica(msgspec.Struct):
    """Body of get_container."""

    model_name: str
    model_version: str
    replica_id: Annotated[int, msgspec.Meta(ge=0, le=_MAX_INT32)]


class GetState(msgspec.Struct):
    """Body of get_state."""

    app_name: str
    uid: int


class Nothing(msgspec.Struct):
    """Body of get_registry and restore_registry."""


def decode(body: bytes, body_type: type[_T]) -> _T:
    """Read a body, or raise BadBodyError."""
    try:
        # Decoded as text first: a string cut out of bad UTF-8 must not get into Redis.
        return msgspec.json.decode(body.decode(), type=body_type)
    except msgspec.ValidationError as exc:
        raise BadBodyError(f"The body is not what this call takes: {exc}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadBodyError(f"The body is not valid JSON: {exc}") from None
    except RecursionError:
        raise BadBodyError("The body is nested too deeply") from None

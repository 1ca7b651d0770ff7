"""The rules for names, versions, labels and numbers, checked before anything is started."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Iterable, Mapping

from clipper_container.input_types import InputType
from clipper_nomad.errors import ClipperException
from clipper_nomad.types import Application, ModelRegistration, ModelVersion, Policy

ON_DEFAULT = ("default", "error", "wait")
OUTPUT_TYPES = ("json", "string")

#: Names and versions become parts of job ids and of DNS names, whose labels end at 63 characters.
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MAX_LABEL_LENGTH = 63
#: `:` and `,` separate the parts of keys in Redis, `/` those of a REST path.
_NOT_IN_APPLICATIONS = ":,/"
_NOT_IN_LABELS = ":,"


def parse_model_version(name: object, version: object) -> ModelVersion:
    """Return the checked name and version; a whole number is a version too. Raises ClipperException."""
    if not isinstance(version, str):
        version = str(parse_whole_number(version, "A model's version that is not text"))
    return ModelVersion(parse_model_name(name), _parse_dns_label(version, "model version"))


def parse_model_name(name: object) -> str:
    """Return `name` if it is a valid model name. Raises ClipperException."""
    return _parse_dns_label(name, "model name")


def parse_known_model(name: object, version: object) -> ModelVersion:
    """Return the name and version of a model that may be registered; a whole number is a version too.

    Only what is built or deployed here must be DNS labels: over REST models get other names. Raises
    ClipperException.
    """
    if not isinstance(version, str):
        version = str(parse_whole_number(version, "A model's version that is not text"))
    return ModelVersion(parse_known_name(name), _parse_known(version, "model version"))


def parse_known_name(name: object) -> str:
    """Return the name of a model that may be registered. Raises ClipperException."""
    return _parse_known(name, "model name")


def parse_application_name(name: object) -> str:
    """Return `name` if it can be a registered application's. Raises ClipperException.

    Names that the management frontend refuses now may have been registered before.
    """
    if isinstance(name, str) and name and not set(name) & set(_NOT_IN_APPLICATIONS):
        return name
    raise ClipperException(f"{name!r} is not an application name: use text without `:`, `,` and `/`.")


def parse_labels(labels: object) -> tuple[str, ...]:
    """Return the checked labels; None means no labels. Raises ClipperException."""
    if labels is None:
        return ()
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ClipperException(f"{labels!r} is not a list of labels: pass a list of strings.")
    checked = tuple(labels)
    for label in checked:
        if not isinstance(label, str) or set(label) & set(_NOT_IN_LABELS):
            raise ClipperException(f"{label!r} is not a label: use text without `:` and `,`.")
    return checked


def parse_input_type(text: object) -> str:
    """Return the canonical name of an input type, such as `doubles` for `d`. Raises ClipperException."""
    try:
        return InputType.parse(str(text)).value
    except ValueError as exc:
        raise ClipperException(str(exc)) from exc


def parse_model_names(model_names: object) -> list[str]:
    """Return the checked names of one model or of several. Raises ClipperException."""
    if isinstance(model_names, str) or not isinstance(model_names, Iterable):
        return [parse_known_name(model_names)]
    return [parse_known_name(name) for name in model_names]


def parse_weights(weights: object) -> list[float]:
    """Return weights as numbers; NumPy's are numbers too. Raises ClipperException."""
    if isinstance(weights, str | Mapping) or not isinstance(weights, Iterable):
        raise ClipperException(f"{weights!r} is not a list of weights: pass one number for each model.")
    return [_parse_weight(weight) for weight in weights]


def parse_policy(policy: object) -> Policy:
    """Return a policy as plain JSON; the management frontend checks its content. Raises ClipperException."""
    if isinstance(policy, str):
        return policy
    if not isinstance(policy, Mapping):
        raise ClipperException(
            f"{policy!r} is not a policy: pass its name, or a dict with its configuration."
        )
    try:
        parsed: dict[str, object] = json.loads(json.dumps(dict(policy), allow_nan=False))
    except (TypeError, ValueError) as exc:
        raise ClipperException(
            f"The policy {policy!r} cannot be sent as JSON ({exc}): use text, numbers, lists and dicts."
        ) from exc
    return parsed


def parse_user(user_id: object) -> str:
    """Return a user's id as text, as queries and feedback carry it. Raises ClipperException."""
    if isinstance(user_id, str) and user_id:
        return user_id
    try:
        if not isinstance(user_id, bool):
            return str(operator.index(user_id))  # type: ignore[arg-type]
    except TypeError:
        pass
    raise ClipperException(f"{user_id!r} is not a user's id: use text or a whole number.")


def parse_application(
    name: object,
    input_type: object,
    default_output: object,
    slo_micros: object,
    on_default: object,
    policy: object = None,
    cors_origins: object = None,
) -> Application:
    """Return the arguments of register_application(), checked. Raises ClipperException."""
    if not isinstance(default_output, str):
        raise ClipperException(f"The default output is {default_output!r}: pass it as a string.")
    if on_default not in ON_DEFAULT:
        raise ClipperException(f"on_default is {on_default!r}: use one of {', '.join(ON_DEFAULT)}.")
    return Application(
        parse_application_name(name),
        parse_input_type(input_type),
        default_output,
        parse_whole_number(slo_micros, "slo_micros", minimum=1),
        str(on_default),
        None if policy is None else parse_policy(policy),
        _parse_origins(cors_origins),
    )


def _parse_origins(origins: object) -> tuple[str, ...]:
    given = () if origins is None else origins
    if isinstance(given, list | tuple) and all(isinstance(origin, str) for origin in given):
        return tuple(given)
    raise ClipperException(f"cors_origins is {origins!r}: pass a list such as ['https://shop.example'].")


def parse_registration(
    model: ModelVersion,
    input_type: object,
    image: object,
    labels: object,
    batch_size: object,
    output_type: object = "json",
    cache_ttl_s: object = None,
) -> ModelRegistration:
    """Return the registration of a model version, checked. Raises ClipperException."""
    return ModelRegistration(
        model,
        parse_input_type(input_type),
        str(image),
        parse_labels(labels),
        parse_batch_size(batch_size),
        parse_output_type(output_type),
        parse_cache_ttl(cache_ttl_s),
    )


def parse_output_type(output_type: object) -> str:
    """Return a valid output type. Raises ClipperException."""
    if isinstance(output_type, str) and output_type in OUTPUT_TYPES:
        return output_type
    raise ClipperException(f"output_type is {output_type!r}: use one of {', '.join(OUTPUT_TYPES)}.")


def parse_cache_ttl(seconds: object) -> float | None:
    """Return how long outputs are cached, in seconds; None for no limit. Raises ClipperException."""
    if seconds is None:
        return None
    found = _to_float(seconds)
    if not 0 <= found < math.inf:
        raise ClipperException(
            f"cache_ttl_s is {seconds!r}: use a time in seconds, 0 to cache nothing, or None for no limit."
        )
    return found


def parse_batch_size(batch_size: object) -> int:
    """Return a fixed batch size, or -1 for one that is learnt. Raises ClipperException."""
    number = parse_whole_number(batch_size, "batch_size", minimum=-1)
    if number == 0:
        raise ClipperException("batch_size is 0: use 1 or more, or -1 for a batch size that is learnt.")
    return number


def parse_whole_number(value: object, what: str, minimum: int = 0) -> int:
    """Return `value` as an int of at least `minimum`; NumPy's integers are whole numbers too.

    Raises ClipperException, calling the value `what`.
    """
    if isinstance(value, bool):
        raise ClipperException(f"{what} is {value}: use a whole number of at least {minimum}.")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError as exc:
        raise ClipperException(f"{what} is {value!r}: use a whole number of at least {minimum}.") from exc
    if number < minimum:
        raise ClipperException(f"{what} is {number}: use a whole number of at least {minimum}.")
    return number


def parse_seconds(value: object, what: str) -> float:
    """Return `value` as a time in seconds above 0; NumPy's numbers are numbers too.

    Raises ClipperException, calling the value `what`.
    """
    seconds = _to_float(value)
    if not seconds > 0:
        raise ClipperException(f"{what} is {value!r}: use a time in seconds above 0.")
    return seconds


def _parse_weight(value: object) -> float:
    weight = _to_float(value)
    if not math.isfinite(weight):
        raise ClipperException(f"{value!r} is not a weight: use a number.")
    return weight


def _parse_known(text: object, what: str) -> str:
    if isinstance(text, str) and text and not set(text) & set(_NOT_IN_LABELS):
        return text
    raise ClipperException(f"{text!r} is not a {what}: use text without `:` and `,`.")


def _to_float(value: object) -> float:
    """Return a number as a float, NaN for anything else; NumPy's numbers are numbers too."""
    try:
        return math.nan if isinstance(value, str | bool) else float(value)  # type: ignore[arg-type]
    except TypeError:
        return math.nan


def _parse_dns_label(text: object, what: str) -> str:
    if isinstance(text, str) and len(text) <= _MAX_LABEL_LENGTH and _DNS_LABEL.fullmatch(text):
        return text
    raise ClipperException(
        f"{text!r} is not a {what}: use lower-case letters, digits and `-`, "
        f"with a letter or a digit at both ends, and at most {_MAX_LABEL_LENGTH} characters."
    )

"""The device requirements of a model, parsed from text such as `${device.attr.memory} >= 8 GiB`."""

from __future__ import annotations

import re

from clipper_nomad.errors import ContainerManagerError
from clipper_nomad.jobspecs.parameters import Constraint

_WITHOUT_VALUE = ("is_set", "is_not_set")
#: Nomad's operators; the longer of two with the same beginning comes first.
_SYMBOLS = ("==", "=", "!=", ">=", "<=", ">", "<")
_WORDS = (
    *("is", "not", "regexp", "version", "semver"),
    *("set_contains_all", "set_contains_any", "set_contains"),
)
_REQUIREMENT = re.compile(
    r"\s*(?P<attribute>\$\{[^{}\s]+\})\s*"
    rf"(?:(?P<alone>{'|'.join(_WITHOUT_VALUE)})"
    rf"|(?:(?P<symbol>{'|'.join(_SYMBOLS)})\s*(?![=<>])|(?P<word>{'|'.join(_WORDS)})\s+)(?P<value>\S.*?))\s*"
)


def parse_requirement(device: str, text: str) -> Constraint:
    """Parse `attribute operator value`. Raises ContainerManagerError that names the device for others."""
    if match := _REQUIREMENT.fullmatch(text):
        operator = match["alone"] or match["symbol"] or match["word"]
        return Constraint(match["attribute"], match["value"] or "", operator)
    raise ContainerManagerError(
        f"Cannot ask {text!r} of the device {device}: write an attribute, an operator and a value, such as "
        f"'${{device.attr.memory}} >= 8 GiB'. Operators are {', '.join(_SYMBOLS + _WORDS + _WITHOUT_VALUE)}."
    )

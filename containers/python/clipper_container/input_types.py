"""The five input types: names, RPC codes and element types.

They map the forms that people write (`d`, `doubles`) to the code in messages (3) and the element of a model's
inputs (float64).
"""

from __future__ import annotations

import enum


class InputType(enum.Enum):
    """An input type by its canonical name; `code` is its number on the wire."""

    BYTES = "bytes"
    INTEGERS = "integers"
    FLOATS = "floats"
    DOUBLES = "doubles"
    STRINGS = "strings"

    @property
    def code(self) -> int:
        """Return the number that stands for this type in RPC messages."""
        return _CODES[self]

    @property
    def item_bytes(self) -> int:
        """Return the size of one element in bytes (1 for strings: UTF-8 code units)."""
        return _ITEM_BYTES[self]

    @classmethod
    def parse(cls, text: str) -> InputType:
        """Return the type named `text`, in upper or lower case, or in one of Clipper's short forms.

        Raises ValueError, which names the types, for anything else.
        """
        found = _BY_NAME.get(text.strip().lower())
        if found is None:
            raise ValueError(f"unknown input type {text!r}: use one of {', '.join(t.value for t in cls)}")
        return found

    @classmethod
    def from_code(cls, code: int) -> InputType:
        """Return the type with this RPC code, or raise ValueError."""
        if not 0 <= code < len(_BY_CODE):
            raise ValueError(f"unknown input type code {code}: codes are 0 to {len(_BY_CODE) - 1}")
        return _BY_CODE[code]


_BY_CODE = (InputType.BYTES, InputType.INTEGERS, InputType.FLOATS, InputType.DOUBLES, InputType.STRINGS)
_CODES = {input_type: code for code, input_type in enumerate(_BY_CODE)}
_ITEM_BYTES = dict(zip(_BY_CODE, (1, 4, 4, 8, 1)))
_SHORT_FORMS = {
    InputType.BYTES: ("b", "byte", "bytes"),
    InputType.INTEGERS: ("i", "int", "ints", "integer", "integers"),
    InputType.FLOATS: ("f", "float", "floats"),
    InputType.DOUBLES: ("d", "double", "doubles"),
    InputType.STRINGS: ("s", "str", "strs", "string", "strings"),
}
_BY_NAME = {form: input_type for input_type, forms in _SHORT_FORMS.items() for form in forms}

"""The names that `import clipper_nomad` offers."""

from __future__ import annotations

import types

import clipper_nomad


def test_all_is_complete_and_sorted() -> None:
    public = {
        name
        for name, value in vars(clipper_nomad).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert list(clipper_nomad.__all__) == sorted(public | {"__version__"})

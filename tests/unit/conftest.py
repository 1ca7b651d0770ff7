"""Unit tests are run all the time: their properties are tried on fewer examples than is usual."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unit", max_examples=30, deadline=None)
settings.load_profile("unit")

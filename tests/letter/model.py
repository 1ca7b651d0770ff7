"""The model of the container beside it, in its image."""

from __future__ import annotations

from typing import Any


def predict(inputs: Any) -> list[str]:
    """Return the sum of each input's numbers, marked as this container's."""
    return [f"letter {sum(row)}" for row in inputs]

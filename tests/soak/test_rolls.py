"""Many rolls of a local cluster's query frontends under a steady load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.rolls import require_lossless_rolls


@pytest.mark.timeout(1200)
async def test_twenty_rolls_under_load_lose_nothing(tmp_path: Path) -> None:
    await require_lossless_rolls(tmp_path, num_frontends=1, num_rolls=20)

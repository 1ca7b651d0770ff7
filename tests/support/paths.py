"""The folders of this checkout that tests read."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
REPOSITORY = TESTS.parent
TOOLS = TESTS / "system" / "tools"
LETTER = TESTS / "letter"

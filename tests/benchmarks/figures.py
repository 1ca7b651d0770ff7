"""A benchmark's figures: measured beside promised numbers, printed and kept."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measured number beside its target. With `at_most` less is good; `raw` has the runs behind it.

    One with `invalid_because` says nothing, on whichever side of its target it is.
    """

    name: str
    measured: float
    target: float
    unit: str = ""
    at_most: bool = False
    invalid_because: str = ""
    raw: Any = field(default=None, repr=False)

    @property
    def met(self) -> bool:
        """Return whether the target is met by a valid measurement."""
        good = self.measured <= self.target if self.at_most else self.measured >= self.target
        return not self.invalid_because and good

    @property
    def verdict(self) -> str:
        """Return the figure's outcome in words."""
        if self.invalid_because:
            return f"INVALID: {self.invalid_because}"
        return "met" if self.met else "NOT MET"


def show(figures: Sequence[Figure]) -> None:
    """Print a table of all figures."""
    table = Table("figure", "measured", "target", "")
    for figure in figures:
        sign = "≤" if figure.at_most else "≥"
        target = f"{sign} {figure.target:g} {figure.unit}"
        table.add_row(figure.name, f"{figure.measured:,.4g} {figure.unit}", target, figure.verdict)
    Console(width=140).print(table)


def keep(figures: Sequence[Figure], path: Path) -> None:
    """Write all figures with their raw results and a description of the machine."""
    machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
    kept = [{**asdict(figure), "met": figure.met} for figure in figures]
    path.write_text(json.dumps({"machine": machine, "figures": kept}, indent=1) + "\n")

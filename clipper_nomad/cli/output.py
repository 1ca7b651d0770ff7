"""Output of the command line: tables for people, JSON for programs, progress and errors on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clipper_container.logs import printable

console = Console()
error_console = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: object) -> None:
    """Print a value as JSON on stdout, as plain text whatever the terminal."""
    typer.echo(json.dumps(value, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, or `TITLE: none` if it has no rows."""
    listed = list(rows)
    if not listed:
        console.print(Text(f"{title}: none"))
        return
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold cyan")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in listed:
        table.add_row(*(Text(show(cell)) for cell in row))
    console.print(table)


def print_record(title: str, record: Mapping[str, Any]) -> None:
    """Print a record as a table of its fields."""
    print_table(title, ("field", "value"), record.items())


def show(value: object) -> str:
    """Return a value as text for people: yes or no, a list by commas, nothing as a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return printable(", ".join(map(str, value))) or "–"
    return "–" if value is None or value == "" else printable(str(value))


def say(text: str) -> None:
    """Print a line about what was done, on stderr: stdout has only what was asked for."""
    error_console.print(Text(printable(text)))


def say_error(text: str) -> None:
    """Print an error, in red, on stderr."""
    error_console.print(Text.assemble(("error: ", "bold red"), (printable(text), "red")), soft_wrap=True)


def say_warning(text: str) -> None:
    """Print a warning, in yellow, on stderr."""
    error_console.print(Text(f"warning: {printable(text)}", style="yellow"), soft_wrap=True)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Show on stderr that work goes on, while the block runs."""
    with error_console.status(Text(text)):
        yield

"""Logs as they are saved to files: what could steer a terminal is escaped, as where logs are shown."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable
from pathlib import Path

from clipper_container.logs import printable


def save_log(path: Path, parts: Iterable[bytes]) -> None:
    """Write a log of which the parts may end anywhere. A progress bar's carriage returns begin new lines."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for part in parts:
            file.write(printable(decoder.decode(part)))
        file.write(printable(decoder.decode(b"", final=True)))

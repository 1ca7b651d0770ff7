"""The logs of allocations, read from their nodes through Nomad: whole, or their last lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clipper_nomad.managers.disk.logs import save_log
from clipper_nomad.managers.nomad.api.allocations import Allocation
from clipper_nomad.managers.nomad.clients.nomad import NomadAPI, quoted
from clipper_nomad.managers.nomad.clients.session import RefusedError

_STREAMS = ("stdout", "stderr")
#: Log lines are rarely longer: the last n lines are looked for in n times as many bytes.
_BYTES_PER_LINE = 512
_MIN_BYTES = 16384
#: Nomad's status if an allocation's node has no log of it (yet, or any more).
_NO_LOG = frozenset({404})
_NO_NODE = ("Unknown allocation", "not found", "No path to node", "no such file", "not started")


class Logs:
    """The logs of one namespace's allocations: a task's stdout, then its stderr."""

    def __init__(self, api: NomadAPI) -> None:
        self._api = api

    def tail(self, allocation: Allocation, lines: int) -> str:
        """Return the last lines of a task's stdout, then of its stderr: at most `lines` of each.

        Empty if it has written nothing or never started, or if its node cannot be reached.
        """
        num_bytes = max(_MIN_BYTES, lines * _BYTES_PER_LINE)
        ends = [_last_lines(b"".join(self._read(allocation, each, num_bytes)), lines) for each in _STREAMS]
        return "".join(ends)

    def write(self, allocation: Allocation, path: Path) -> None:
        """Write everything that Nomad keeps of a task's stdout, then of its stderr, into a file, escaped."""
        save_log(path, (part for stream in _STREAMS for part in self._read(allocation, stream, None)))

    def _read(self, allocation: Allocation, stream: str, last_bytes: int | None) -> Iterator[bytes]:
        if not allocation.task:
            return
        position = (
            {"origin": "start", "offset": 0}
            if last_bytes is None
            else {"origin": "end", "offset": last_bytes}
        )
        try:
            with self._api.stream(
                f"Cannot read the log of the allocation {allocation.name}",
                f"client/fs/logs/{quoted(allocation.id)}",
                task=allocation.task,
                type=stream,
                plain="true",
                **position,
            ) as parts:
                yield from parts
        except RefusedError as error:
            if error.status not in _NO_LOG and not any(words in error.text for words in _NO_NODE):
                raise


def _last_lines(data: bytes, lines: int) -> str:
    found = data.decode(errors="replace").splitlines()
    return "".join(f"{line}\n" for line in found[-lines:]) if lines > 0 else ""

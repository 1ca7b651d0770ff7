"""The messages and refusals that all managers have in common.

A manager adds what only it knows: the place of its clusters, the log's lines.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

from clipper_container.logs import printable_lines
from clipper_nomad.errors import ContainerManagerError, NotRunningError
from clipper_nomad.types import ModelVersion

#: A process that signal n killed has the exit status 128 + n.
_SIGNALS_FROM = 128
#: What the model runtime logs when a replica has ended without being asked to.
_ENDS = re.compile(
    r"ERROR clipper\.container (the replica's process .*|the model has been running one batch .*)"
)


def describe_log(lines: str) -> str:
    """Return the last lines of a log with a heading, to end an error's message with."""
    text = printable_lines(lines).rstrip()
    return f"The last lines of its log:\n{text}" if text else "It logged nothing."


def join_logs(lines_by_replica: Mapping[str, str]) -> str:
    """Return the last lines of each replica's log, with a heading for each if there are several.

    What could steer a terminal is escaped.
    """
    texts = {index: printable_lines(lines).rstrip("\n") for index, lines in lines_by_replica.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"==> replica {index} <==\n{text}" for index, text in texts.items() if text)


def describe_failing(what: str, num_ends: int, last_end: str, log: str) -> str:
    """Return the error's text for a replica or a frontend (`what`) that ends again and again.

    `log` are its last lines.
    """
    times = "once" if num_ends <= 1 else f"{num_ends} times, the last time"
    return f"{what} keeps failing: it ended {times}: {last_end}. {describe_log(log)}"


def describe_exit(status: int) -> str:
    """Return the words for an exit status; one above 128 also names the signal that it stands for."""
    text = f"exit status {status}"
    try:
        return f"{text} ({signal.Signals(status - _SIGNALS_FROM).name})" if status > _SIGNALS_FROM else text
    except ValueError:
        return text


def find_end(log: str) -> str:
    """Return how a replica ended last, which its runtime reports in its log; empty if it did not."""
    found = _ENDS.findall(log)
    return str(found[-1]) if found else ""


def replica_of(model: ModelVersion, index: int | str) -> str:
    """Return the words for one replica in messages."""
    return f"Replica {index} of model version {model}"


def already_deployed(model: ModelVersion) -> ContainerManagerError:
    """Return the refusal of a second deployment of a version."""
    return ContainerManagerError(
        f"Model version {model} is deployed already: use another version, or stop this one first"
    )


def not_deployed(model: ModelVersion) -> ContainerManagerError:
    """Return the refusal to scale a version that was never deployed."""
    return ContainerManagerError(
        f"Cannot set the number of replicas of model version {model}: it is not deployed. Deploy it first."
    )


def not_running(cluster_name: str) -> NotRunningError:
    """Return the refusal to connect to a cluster of which only the state is left."""
    return NotRunningError(
        f"Cannot connect to cluster {cluster_name!r}: it does not run, but its state is there. "
        "start_clipper() brings it back with its models; remove_leftovers() or `clipper-nomad stop` removes "
        "it."
    )


def not_found(cluster_name: str, place: str, settings: str = "cluster_name") -> NotRunningError:
    """Return the refusal to connect to a cluster that does not exist in `place`.

    `settings` are the manager's arguments that choose the cluster.
    """
    return NotRunningError(
        f"Cannot connect to cluster {cluster_name!r}: there is none {place}. Start it with start_clipper(), "
        f"or give the {settings} that it was started with."
    )

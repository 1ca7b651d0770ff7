"""The demo, step by step. Each step returns whether its answers were right."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from clipper_nomad.connection import ClipperConnection
from clipper_nomad.demo import checks
from clipper_nomad.demo.places import make_manager
from clipper_nomad.demo.stage import interruptible, running_cluster, timed
from clipper_nomad.demo.traffic import Answer, BackgroundTraffic, Client
from clipper_nomad.demo.training import Training, train
from clipper_nomad.deployers.python import deploy_python_closure
from clipper_nomad.errors import DeploymentError

_APP = "diabetes"
_MODEL = "regression"
# Long, so that a busy laptop misses no deadline: the demo shows answers, not speed.
_SLO_MICROS = 500_000
_LATENCY_ROUNDS = 20
_SWITCH_TIMEOUT_S = 10.0


def run_demo(manager_name: str = "local", state_dir: Path | None = None) -> bool:
    """Run the demo, printing what it does; return whether every answer was right and none was a default."""
    console = Console()
    start_s = time.perf_counter()
    training = train()
    # Without a cache, so that each query reaches the model.
    with interruptible(), running_cluster(console, make_manager(manager_name, state_dir), 0) as connection:
        console.print(f"  queries go to http://{connection.get_query_addr()}/{_APP}/predict", style="dim")
        _deploy(console, connection, training, "1")
        connection.register_application(_APP, "doubles", "no prediction", _SLO_MICROS)
        connection.link_model_to_app(_APP, _MODEL)
        steps = _Steps(console, connection, training)
        # A list, so that all steps run even if one fails.
        passed = all([steps.show_answers(), steps.show_latency(), steps.replace_model(), steps.roll_back()])
    verdict = (
        "[bold green]Every answer was the model's own" if passed else "[bold red]Some answers were wrong"
    )
    console.print(f"{verdict}[/]. The demo took {time.perf_counter() - start_s:.1f} s.")
    return passed


def _deploy(console: Console, connection: ClipperConnection, training: Training, version: str) -> None:
    regression = training.regressions[version]
    with timed(console, f"Deployed {type(regression).__name__}.predict as {_MODEL}:{version}"):
        deploy_python_closure(connection, _MODEL, version, "doubles", regression.predict)


class _Steps:
    """The steps on a cluster where version 1 answers."""

    def __init__(self, console: Console, connection: ClipperConnection, training: Training) -> None:
        self._console = console
        self._connection = connection
        self._training = training

    def _client(self) -> Client:
        return Client(self._connection.get_query_addr(), _APP, self._training.rows.tolist())

    def show_answers(self) -> bool:
        """Print each held-out row's answer beside the model's own."""
        expected = self._training.expected("1")
        with self._client() as client:
            self._await_version(client, expected)
            answers = client.ask_all()
        self._console.print(_answer_table(answers, expected))
        return self._report(answers, "version 1", expected)

    def show_latency(self) -> bool:
        """Print how long answers take, one query after another."""
        with self._client() as client:
            answers = [answer for _ in range(_LATENCY_ROUNDS) for answer in client.ask_all()]
        p50_ms, p99_ms = (checks.percentile_ms(answers, percent) for percent in (50, 99))
        self._console.print(
            f"[bold]Latency[/] of {len(answers)} queries: p50 {p50_ms:.2f} ms, p99 {p99_ms:.2f} ms",
            highlight=False,
        )
        return self._report(answers, "version 1", self._training.expected("1"))

    def replace_model(self) -> bool:
        """Deploy version 2 while queries run, and show that each was answered by version 1 or 2."""
        old, new = self._training.expected("1"), self._training.expected("2")
        with self._client() as background, self._client() as client:
            with BackgroundTraffic(background, len(old)) as traffic:
                _deploy(self._console, self._connection, self._training, "2")
                self._await_version(client, new)
            answers = client.ask_all()
        during = traffic.result()
        text = f"While version 2 was deployed, {_by_version(during, old, new)}"
        self._console.print(text, highlight=False, soft_wrap=True)
        passed = self._report(during, "version 1 or 2", old, new)
        return self._report(answers, "version 2", new) and passed

    def roll_back(self) -> bool:
        """Make version 1 current again."""
        expected = self._training.expected("1")
        self._connection.set_model_version(_MODEL, "1")
        with self._client() as client:
            waited_s = self._await_version(client, expected)
            answers = client.ask_all()
        self._console.print(f"[bold]Rolled back[/] to version 1 in {waited_s * 1000:.0f} ms", highlight=False)
        return self._report(answers, "version 1", expected)

    def _await_version(self, client: Client, expected: Sequence[float]) -> float:
        """Ask until the answers are the expected ones, a matter of milliseconds; return how long it took."""
        start_s = time.perf_counter()
        while not checks.agrees(client.ask(0), expected):
            if time.perf_counter() - start_s > _SWITCH_TIMEOUT_S:
                raise DeploymentError(
                    f"The version that was made current did not answer within {_SWITCH_TIMEOUT_S:g} s: see "
                    "the query frontend's log."
                )
        return time.perf_counter() - start_s

    def _report(self, answers: Sequence[Answer], whose: str, *accepted: Sequence[float]) -> bool:
        wrong, defaults = checks.count_disagreeing(answers, *accepted), checks.count_defaults(answers)
        style = "red" if wrong else "green"
        self._console.print(
            f"  {len(answers) - wrong} of {len(answers)} answers are those of {whose}, {defaults} defaults",
            style=style,
            highlight=False,
        )
        return not wrong


def _answer_table(answers: Sequence[Answer], expected: Sequence[float]) -> Table:
    table = Table(title="Held-out rows", title_justify="left", header_style="bold cyan")
    for column in ("row", "answer over REST", "clf.predict", "difference", "ms"):
        table.add_column(column, justify="right")
    for answer in answers:
        wanted = expected[answer.row]
        style = None if checks.agrees(answer, expected) else "bold red"
        cells = (str(answer.row), f"{answer.value!r}", f"{wanted!r}", f"{abs(answer.value - wanted):.1e}")
        table.add_row(*cells, f"{answer.latency_ms:.2f}", style=style)
    return table


def _by_version(answers: Sequence[Answer], old: Sequence[float], new: Sequence[float]) -> str:
    by_old, by_new = (sum(checks.agrees(answer, expected) for answer in answers) for expected in (old, new))
    return f"{len(answers)} queries ran: {by_old} were answered by version 1 and {by_new} by version 2"

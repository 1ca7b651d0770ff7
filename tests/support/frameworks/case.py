"""A framework's model through a real cluster, from the script that trained it: deploy, replace, roll back.

A case runs in the framework's environment, `python -m tests.functional.frameworks.cases.NAME STATE_DIR`, and
prints one JSON object of what it saw, for the tests that judge it.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import requests

from clipper_nomad import ClipperConnection, ClipperException
from clipper_nomad.managers.local import LocalContainerManager
from tests.support.local_clusters import CLUSTER_NAME

#: The mark of the line that holds what was seen.
SEEN = "seen: "
_SLO_MICROS = 20_000_000
_TIMEOUT_S = 60.0

Deploy = Callable[[ClipperConnection, str, int], None]


@dataclass(frozen=True)
class Case:
    """A model with the answers that its framework gives.

    `deploy` deploys the model under a name and a version, and `deploy_other` another model, whose answers to
    the same `rows` are `others`. `deploy_broken` deploys what cannot be loaded.
    """

    name: str
    input_type: str
    rows: list[Any]
    answers: list[Any]
    others: list[Any]
    deploy: Deploy
    deploy_other: Deploy
    deploy_broken: Deploy
    wrong_input: Any


@dataclass
class Seen:
    """The record of a case. Differences are relative, the largest of all rows."""

    difference: float = -1.0
    mismatches: list[str] = field(default_factory=list)
    wrong_input: dict[str, Any] = field(default_factory=dict)
    broken: str = ""
    replacing_queries: int = 0
    replacing_defaults: int = 0
    others_difference: float = -1.0
    back_difference: float = -1.0


def run(make_case: Callable[[], Case]) -> None:
    """Run a case against the cluster whose state directory is the first argument, and print what it saw."""
    connection = ClipperConnection(LocalContainerManager(CLUSTER_NAME, state_dir=Path(sys.argv[1])))
    connection.connect()
    case = make_case()
    print(SEEN + json.dumps(asdict(_Conversation(connection, case).hold())), flush=True)


def deployer(call: Callable[..., None], input_type: str, model: Any) -> Deploy:
    """Return how a framework's call deploys a model."""
    return lambda connection, name, version: call(connection, name, version, input_type, model)


class _Conversation:
    def __init__(self, connection: ClipperConnection, case: Case) -> None:
        self._connection = connection
        self._case = case
        self._url = f"http://{connection.get_query_addr()}/{case.name}/predict"
        self._session = requests.Session()

    def hold(self) -> Seen:
        case, connection, seen = self._case, self._connection, Seen()
        case.deploy(connection, case.name, 1)
        connection.register_application(case.name, case.input_type, "default", _SLO_MICROS)
        connection.link_model_to_app(case.name, case.name)
        seen.difference, seen.mismatches = self._compare(case.answers)
        seen.wrong_input = self._query({"input": case.wrong_input})
        seen.broken = self._deploy_broken()
        self._replace(seen)
        seen.others_difference, _ = self._compare(case.others)
        connection.set_model_version(case.name, "1")
        seen.back_difference, _ = self._compare(case.answers)
        return seen

    def _query(self, body: dict[str, Any]) -> Any:
        answer = self._session.post(self._url, json=body, timeout=_TIMEOUT_S)
        return answer.json()

    def _compare(self, wanted: list[Any]) -> tuple[float, list[str]]:
        """Return the largest difference to the framework's answers, and what is no such answer."""
        answers = self._query({"input_batch": self._case.rows})["batch_predictions"]
        mismatches = [str(each) for each in answers if each["default"]]
        largest = 0.0
        for answer, value in zip(answers, wanted, strict=True):
            difference = _difference(answer["output"], value)
            if difference is None:
                mismatches.append(f"{answer['output']!r} for {value!r}")
            else:
                largest = max(largest, difference)
        return largest, mismatches[:5]

    def _deploy_broken(self) -> str:
        try:
            self._case.deploy_broken(self._connection, f"{self._case.name}-broken", 1)
        except ClipperException as error:
            return str(error)
        return ""

    def _replace(self, seen: Seen) -> None:
        """Deploy the other model while queries go on."""
        done = threading.Event()

        def ask() -> None:
            while not done.is_set():
                answer = self._query({"input": self._case.rows[0]})
                seen.replacing_queries += 1
                seen.replacing_defaults += answer["default"]

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            self._case.deploy_other(self._connection, self._case.name, 2)
        finally:
            done.set()
            asking.join()


def _difference(got: Any, wanted: Any) -> float | None:
    """Return the relative difference of two values of one shape; None if they have not one."""
    if isinstance(wanted, str | bool) or wanted is None:
        return 0.0 if got == wanted else None
    if isinstance(wanted, int | float):
        if isinstance(got, str | bool) or not isinstance(got, int | float):
            return None
        return abs(got - wanted) / max(1.0, abs(wanted))
    if isinstance(wanted, dict):
        if not isinstance(got, dict) or got.keys() != wanted.keys():
            return None
        pairs = [(got[key], wanted[key]) for key in wanted]
    else:
        if not isinstance(got, list) or len(got) != len(wanted):
            return None
        pairs = list(zip(got, wanted, strict=True))
    found = [_difference(*pair) for pair in pairs]
    return None if None in found else max((each for each in found if each is not None), default=0.0)

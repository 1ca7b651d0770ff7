"""A cluster on a real Nomad that serves a model through Fabio, and gets queries during changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipper_container.kinds.closure import save_closure
from clipper_nomad.connection import ClipperConnection
from clipper_nomad.jobspecs import TaskResources
from clipper_nomad.managers.base import ContainerManager
from clipper_nomad.types import BuildSpec, ModelVersion
from tests.contract.nomad_harness import NomadHarness
from tests.support.frontends.cluster import predict
from tests.support.frontends.load import SteadyLoad
from tests.support.models import Model

APP = "app"
SUMS = ModelVersion("sums", "1")
#: Small, so that what tests start fits beside whatever else runs.
SMALL = TaskResources(cpu_mhz=100, memory_mib=160)
_SLO_MICROS = 3_000_000


class Served:
    """A cluster of one harness, with one application."""

    def __init__(self, harness: NomadHarness, directory: Path) -> None:
        self.harness = harness
        self._directory = directory
        self._count = 0
        self.manager = harness.make_manager()
        self.connection = ClipperConnection(self.manager)

    def start(self) -> None:
        """Start the cluster, and register the application."""
        self.connection.start_clipper()
        self.connection.register_application(APP, "doubles", "none", _SLO_MICROS)

    def build(self, function: Model, manager: ContainerManager | None = None) -> str:
        """Build an image or archive of a function, and return its name."""
        self._count += 1
        folder = self._directory / f"{self.harness.cluster_name}-{self._count}"
        save_closure(function, folder)
        return (manager or self.manager).build(BuildSpec(ModelVersion("any", "1"), folder))

    def serve(self, function: Model, model: ModelVersion = SUMS, **options: Any) -> None:
        """Deploy a function as the first version of a model, for the application."""
        image = self.build(function)
        self.connection.deploy_model(model.name, model.version, "doubles", image, **options)
        self.connection.link_model_to_app(APP, model.name)

    def ask(self, *numbers: float) -> Any:
        """Return the answer to one query through Fabio."""
        return predict(self.connection.get_query_addr(), APP, input=list(numbers))

    def job_allocations(self, model: ModelVersion = SUMS) -> dict[str, str]:
        """Return the running replicas of a model version, each with its run's id."""
        prefix = f"model.{model.name}.{model.version}."
        return {part: run for part, run in self.harness.parts().items() if part.startswith(prefix)}

    async def while_asked(self, change: Callable[[], Any]) -> tuple[SteadyLoad, float]:
        """Run `change` while queries go through Fabio; return the load and how long it took, in seconds."""
        address, _, path = self.connection.get_query_addr().partition("/")
        load = SteadyLoad(address, f"{path}/{APP}", connections=2, pause_s=0.02)
        async with load:
            await load.more(20)
            started_s = time.monotonic()
            await asyncio.to_thread(change)
            took_s = time.monotonic() - started_s
            await load.more(20)
        return load, took_s


class _LineCollector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def logged_lines() -> Iterator[list[str]]:
    """Collect the lines that a data scientist sees, of all threads."""
    handler = _LineCollector()
    logger = logging.getLogger("clipper")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)

"""The life of a replica: listen on the admin port, load the model, serve it, close.

What goes wrong at the start is logged with what to do, and is an exit code.
"""

from __future__ import annotations

import gc
import logging
import platform
import time
from pathlib import Path

from clipper_container.kinds.closure import ClosureMismatch
from clipper_container.kinds.loading import load_model
from clipper_container.kinds.script import become_script
from clipper_container.logs import log_model_code
from clipper_container.metrics import ModelMetrics
from clipper_container.model import Model, ModelLoadError
from clipper_container.process.admin import AdminServer, Health
from clipper_container.process.shared import Shared
from clipper_container.rpc.wakeup import Wakeup
from clipper_container.serving.runner import Runner
from clipper_container.serving.runtime import Runtime
from clipper_container.serving.warming import warm_up
from clipper_container.settings import Settings

_LOG = logging.getLogger("clipper.container")
EXIT_LOAD_FAILED = 1
EXIT_MISMATCH = 3


class _ExitError(Exception):
    """The process must end with `code`; the reason has been logged."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def check(directory: Path) -> int:
    """Load the model in `directory`, and return the exit code."""
    log_model_code()
    try:
        _load(directory)
    except _ExitError as stop:
        return stop.code
    return 0


def serve(settings: Settings, threads: str, shared: Shared) -> int:
    """Load the model and serve it until a signal stops it; return the exit code.

    `threads` are words for the log: how many threads the model computes with.
    """
    log_model_code()
    try:
        _serve(settings, threads, shared)
    except _ExitError as stop:
        return stop.code
    return 0


def _serve(settings: Settings, threads: str, shared: Shared) -> None:
    health = Health()
    admin = _listen(settings, health)
    _LOG.info("listening: admin=%s (%s)", admin.address, threads)
    # Before the model's own metrics, whose names must not take these.
    metrics = ModelMetrics(settings.model_name, settings.model_version)
    model = _load(settings.model_path)
    runner = Runner(model, settings.input_type, time.monotonic, shared)
    if not warm_up(runner, model, settings):
        raise _ExitError(EXIT_LOAD_FAILED)
    # All objects of now, the model's among them, live as long as the process: the collector can skip them.
    gc.collect()
    gc.freeze()
    wakeup = Wakeup()
    wakeup.catch_signals()
    runtime = Runtime(settings, runner, metrics, wakeup, shared)
    health.not_live_reason = runtime.not_live_reason
    health.not_ready_reason = runtime.not_ready_reason
    _LOG.info(
        "serving %s:%s, inputs of type %s, Python %s, instance %s, query frontends from %s",
        settings.model_name,
        settings.model_version,
        settings.input_type.value,
        platform.python_version(),
        settings.instance_id,
        ",".join(settings.rpc_addresses),
    )
    runtime.serve()
    wakeup.close()
    admin.close()
    _LOG.info("stopped")


def _listen(settings: Settings, health: Health) -> AdminServer:
    try:
        return AdminServer(settings.admin_host, settings.admin_port, health)
    except OSError as exc:
        _LOG.error(
            "could not listen on %s port %d: %s; "
            "set CLIPPER_ADMIN_HOST and CLIPPER_ADMIN_PORT (0 is any free port)",
            settings.admin_host,
            settings.admin_port,
            exc,
        )
        raise _ExitError(EXIT_LOAD_FAILED) from exc


def _load(directory: Path) -> Model:
    become_script()
    try:
        return load_model(directory)
    except ClosureMismatch as exc:
        _LOG.error("%s", exc)
        raise _ExitError(EXIT_MISMATCH) from exc
    except ModelLoadError as exc:
        _LOG.error("%s", exc)
        raise _ExitError(EXIT_LOAD_FAILED) from exc
    except ImportError as exc:
        _LOG.exception("could not load the model: %s; name its package in pkgs_to_install", exc)
        raise _ExitError(EXIT_LOAD_FAILED) from exc
    except (Exception, SystemExit) as exc:  # unpickling runs the model's code, which may raise anything
        _LOG.exception("could not load the model: %s", exc)
        raise _ExitError(EXIT_LOAD_FAILED) from exc

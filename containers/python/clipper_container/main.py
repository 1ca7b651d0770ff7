"""The command `clipper-container`: load one model, and serve it until a signal stops it.

Exit codes: 0 after a stop, 1 if the model cannot be loaded or the admin port is taken, 2 for wrong settings,
3 if the model was saved by another Python or cloudpickle, 70 if the model hung and CLIPPER_EXIT_WHEN_HUNG is
set.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import platform
import signal
import sys
import time
from pathlib import Path
from typing import Optional

from clipper_container.admin import AdminServer, Health
from clipper_container.kinds.closure import ClosureMismatch
from clipper_container.kinds.loading import load_model
from clipper_container.logs import configure_logging
from clipper_container.metrics import ModelMetrics
from clipper_container.model import Model, ModelLoadError
from clipper_container.rpc.wakeup import STOP_SIGNALS, Wakeup
from clipper_container.runner import Runner
from clipper_container.runtime import Runtime, exit_now
from clipper_container.settings import Settings, SettingsError, log_level, model_path

_LOG = logging.getLogger("clipper.container")
EXIT_LOAD_FAILED = 1
EXIT_WRONG_SETTINGS = 2
EXIT_MISMATCH = 3


class _ExitError(Exception):
    """The process must end with `code`; the reason has been logged."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def main(arguments: Optional[list[str]] = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="clipper-container",
        description="Serve one model to Clipper's query frontends; CLIPPER_* variables are its settings.",
    )
    parser.add_argument("--check", action="store_true", help="load the model of CLIPPER_MODEL_PATH and exit")
    check_only = parser.parse_args(arguments).check
    try:
        configure_logging(log_level(os.environ))
        if check_only:
            _load(model_path(os.environ))
        else:
            _serve(Settings.from_environment(os.environ))
    except SettingsError as exc:
        print(f"clipper-container: {exc}", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    except _ExitError as stop:
        return stop.code
    return 0


def _serve(settings: Settings) -> None:
    for signum in STOP_SIGNALS:
        # There is nothing to drain yet, but the first process of a container ignores signals without a
        # handler.
        signal.signal(signum, lambda *_: exit_now(0))
    health = Health()
    admin = _listen(settings, health)
    _LOG.info("listening: admin=%s", admin.address)
    # Before the model's own metrics, whose names must not take these.
    metrics = ModelMetrics(settings.model_name, settings.model_version)
    runner = Runner(_load(settings.model_path), settings.input_type, time.monotonic)
    # All objects of now, the model's among them, live as long as the process: the collector can skip them.
    gc.collect()
    gc.freeze()
    wakeup = Wakeup()
    wakeup.catch_signals()
    runtime = Runtime(settings, runner, metrics, wakeup)
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


if __name__ == "__main__":
    sys.exit(main())

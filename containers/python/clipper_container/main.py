"""The command `clipper-container`: load one model, and serve it until a signal stops it.

Exit codes: 0 after a stop, 1 if the model cannot be loaded or cannot answer the sample input, or the admin
port is taken, 2 for wrong settings, 3 if the model was saved by another Python or cloudpickle, 70 if the
model hung and CLIPPER_EXIT_WHEN_HUNG is set, 128 + n if signal n killed it, and any other if the model's code
ends the process.

The process that is started watches; its child loads the model and serves. What only the child needs is
imported there.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Optional

from clipper_container.logs import configure_logging
from clipper_container.process.replica import become_replica, empty_stdin
from clipper_container.process.shared import Shared
from clipper_container.process.watcher import Limits, run_watched
from clipper_container.settings import Settings, SettingsError, log_level, model_path
from clipper_container.threads import limit_threads

EXIT_WRONG_SETTINGS = 2


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
        settings = None if check_only else Settings.from_environment(os.environ)
    except SettingsError as exc:
        print(f"clipper-container: {exc}", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    empty_stdin()
    # Before NumPy or a framework is imported, which read it then.
    threads = limit_threads(os.environ)
    return _check() if settings is None else _run(settings, threads)


def _check() -> int:
    from clipper_container.serving.start import check

    return check(model_path(os.environ))


def _run(settings: Settings, threads: str) -> int:
    def begin(shared: Shared) -> None:
        become_replica(shared, lambda: _serve(settings, threads, shared))

    hang_timeout_s = settings.hang_timeout_s if settings.exit_when_hung else None
    return run_watched(begin, Limits(hang_timeout_s, settings.drain_timeout_s))


def _serve(settings: Settings, threads: str, shared: Shared) -> int:
    from clipper_container.serving.start import serve

    return serve(settings, threads, shared)


if __name__ == "__main__":
    sys.exit(main())

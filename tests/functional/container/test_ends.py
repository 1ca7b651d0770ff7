"""Ends of the real model runtime that its model causes: each leaves its cause in the log's last line."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from clipper_container import wire
from clipper_container.kinds.closure import save_closure
from clipper_container.wire import STATUS_MODEL_ERROR
from tests.support.frontends.rpc_frontend import RpcFrontend
from tests.support.models import Model
from tests.support.processes import Container, eventually

Start = Callable[..., Container]


@pytest.fixture
def frontend() -> Iterator[RpcFrontend]:
    with RpcFrontend("a") as made:
        yield made


@pytest.fixture
def start(frontend: RpcFrontend, tmp_path: Path) -> Iterator[Start]:
    """Start a container of a model: start(function, **more environment)."""
    with ExitStack() as stack:

        def begin(function: Model, **more: str) -> Container:
            save_closure(function, tmp_path / "model")
            environment = {
                "CLIPPER_MODEL_NAME": "m",
                "CLIPPER_MODEL_VERSION": "1",
                "CLIPPER_INPUT_TYPE": "doubles",
                "CLIPPER_MODEL_PATH": str(tmp_path / "model"),
                "CLIPPER_RPC_ADDRESS": frontend.address,
                **more,
            }
            return stack.enter_context(Container(environment))

        yield begin


def running(code: str) -> Model:
    """Return a model that runs `code` and answers with the local `answer`, 0 by default."""

    def predict(inputs: Any) -> list[Any]:
        names: dict[str, Any] = {"answer": 0.0}
        exec(code, names)
        return [names["answer"]] * len(inputs)

    return predict


def last_line(container: Container) -> str:
    return container.log.splitlines()[-1]


BACKTRACKING = "import re; re.match(r'(a*)*$', 'a' * 60 + 'b')"
SUMMING = "sum(iter(int, 1))"
SLEEPING = "import time; time.sleep(600)"
LOCKED = "import threading; threading.Lock().acquire() and threading.Event().wait()"


@pytest.mark.parametrize("code", [BACKTRACKING, SUMMING, SLEEPING, LOCKED])
def test_a_model_that_hangs_is_ended_with_its_stack_whatever_it_does(
    frontend: RpcFrontend, start: Start, code: str
) -> None:
    container = start(running(code), CLIPPER_HANG_TIMEOUT_S="0.5", CLIPPER_EXIT_WHEN_HUNG="1")
    frontend.request(frontend.accept().identity, [[1.0]])
    assert container.wait() == 70
    assert "in predict" in container.log
    assert re.search(
        r"the model has been running one batch for \d+\.\d s, .*: exiting, so that the replica is restarted$",
        last_line(container),
    )


def test_outputs_whose_text_hangs_end_the_replica_too(frontend: RpcFrontend, start: Start) -> None:
    class Endless:
        def __str__(self) -> str:
            while True:
                pass

    container = start(
        lambda inputs: [Endless()] * len(inputs), CLIPPER_HANG_TIMEOUT_S="0.5", CLIPPER_EXIT_WHEN_HUNG="1"
    )
    frontend.request(frontend.accept().identity, [[1.0]])
    assert container.wait() == 70
    assert "in __str__" in container.log


def test_a_batch_that_is_run_again_input_by_input_does_not_hang(frontend: RpcFrontend, start: Start) -> None:
    code = "import time; time.sleep(0.4)"

    def predict(inputs: Any) -> list[Any]:
        exec(code)
        assert len(inputs) == 1
        return [0.0]

    start(predict, CLIPPER_HANG_TIMEOUT_S="0.8", CLIPPER_EXIT_WHEN_HUNG="1")
    replica = frontend.accept()
    assert frontend.predict(replica.identity, [[1.0], [2.0], [3.0]]).outputs == [b"0.0"] * 3


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        ("import os; os._exit(7)", 7, r"ended itself with exit status 7: its code calls os\._exit\(\)"),
        ("import os; os._exit(0)", 0, r"ended itself with exit status 0"),
        ("import ctypes; ctypes.string_at(0)", 128 + 11, r"was killed by signal 11 \(SIGSEGV\)"),
        ("import os; os.abort()", 128 + 6, r"was killed by signal 6 \(SIGABRT\)"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            128 + 9,
            r"was killed by signal 9 \(SIGKILL\), as the kernel does when memory runs out",
        ),
    ],
)
def test_the_logs_last_line_says_how_the_process_ended(
    frontend: RpcFrontend, start: Start, code: str, status: int, cause: str
) -> None:
    container = start(running("print('before');" + code))
    frontend.request(frontend.accept().identity, [[1.0]])
    assert container.wait() == status
    assert re.search(cause, last_line(container))
    assert "before\n" in container.log, "what was printed before is not lost"


def test_a_crash_leaves_the_stack(frontend: RpcFrontend, start: Start) -> None:
    container = start(running("import ctypes; ctypes.string_at(0)"))
    frontend.request(frontend.accept().identity, [[1.0]])
    container.wait()
    assert re.search(r"Fatal Python error: Segmentation fault[\s\S]* in predict", container.log)


def test_an_end_that_was_asked_for_leaves_no_error(frontend: RpcFrontend, start: Start) -> None:
    container = start(running(""))
    frontend.accept()
    assert container.stop() == 0
    assert last_line(container).endswith("INFO clipper.container stopped")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("input()", b"EOFError: EOF when reading a line"),
        ("import sys; answer = sys.stdin.read()", None),
        ("breakpoint()", b"RuntimeError: the model calls breakpoint(), and a replica has no terminal"),
        ("import pdb; pdb.set_trace(); answer = 1", b"BdbQuit"),
    ],
)
def test_nothing_waits_for_input(frontend: RpcFrontend, start: Start, code: str, error: bytes | None) -> None:
    start(running(code))
    answer = frontend.predict(frontend.accept().identity, [[1.0]])
    if error is None:
        assert answer.outputs == [b""]
    else:
        assert answer.statuses == bytes([STATUS_MODEL_ERROR])
        assert answer.outputs[0].startswith(error)


THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()"
POOL = "from concurrent.futures import ThreadPoolExecutor as P; import time; P(1).submit(time.sleep, 600)"
TIMER = "import threading; threading.Timer(600, print).start()"


@pytest.mark.parametrize("code", [THREAD, POOL, TIMER])
def test_threads_of_the_model_do_not_delay_a_stop(frontend: RpcFrontend, start: Start, code: str) -> None:
    container = start(running(code))
    replica = frontend.accept()
    frontend.predict(replica.identity, [[1.0]])
    container.signal(signal.SIGTERM)
    frontend.expect(wire.Goodbye)
    assert container.wait(timeout_s=5.0) == 0


def test_functions_that_were_registered_for_the_end_are_called(frontend: RpcFrontend, start: Start) -> None:
    container = start(running("import atexit; atexit.register(print, 'called at the end')"))
    frontend.predict(frontend.accept().identity, [[1.0]])
    assert container.stop() == 0
    assert "called at the end\n" in container.log


def test_a_model_that_holds_the_interpreter_is_ended_after_the_drain_timeout(
    frontend: RpcFrontend, start: Start
) -> None:
    container = start(running(SUMMING), CLIPPER_DRAIN_TIMEOUT_S="0.1")
    frontend.request(frontend.accept().identity, [[1.0]])
    container.wait_for_line("accepted this replica")
    container.signal(signal.SIGTERM)
    assert container.wait(timeout_s=10.0) == 128 + signal.SIGKILL
    assert "did not end within its drain timeout" in last_line(container)


def test_a_replica_ends_with_the_process_that_watches_it(frontend: RpcFrontend, start: Start) -> None:
    container = start(running("import os; answer = os.getpid()"))
    replica_pid = int(frontend.predict(frontend.accept().identity, [[1.0]]).outputs[0])
    assert replica_pid != container.pid
    container.kill()
    eventually(lambda: not Path(f"/proc/{replica_pid}").exists(), "the replica has ended")


def test_processes_that_the_model_started_end_with_it(frontend: RpcFrontend, start: Start) -> None:
    container = start(running("import subprocess; answer = subprocess.Popen(['sleep', '600']).pid"))
    worker_pid = int(frontend.predict(frontend.accept().identity, [[1.0]]).outputs[0])
    os.kill(worker_pid, 0)
    assert container.stop() == 0
    eventually(lambda: not Path(f"/proc/{worker_pid}").exists(), "the worker has ended")


@pytest.mark.parametrize(
    "code",
    [
        "import logging; logging.info('told')",
        "import logging; logging.getLogger('mine').info('told')",
        "import logging; logging.getLogger('mine').debug('no'); logging.getLogger('mine').warning('told')",
    ],
)
def test_what_a_model_logs_from_info_up_is_in_its_log_with_the_time(
    frontend: RpcFrontend, start: Start, code: str
) -> None:
    container = start(running(code))
    frontend.predict(frontend.accept().identity, [[1.0]])
    container.wait_for_line(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING) (root|mine) told$")
    assert " no\n" not in container.log


@pytest.mark.parametrize(
    "code",
    [
        "import logging; logging.basicConfig(format='own %(message)s', level='DEBUG'); logging.debug('told')",
        "import logging; l = logging.getLogger('x'); h = logging.StreamHandler(); "
        "h.setFormatter(logging.Formatter('own %(message)s')); l.addHandler(h); l.info('told')",
        "import logging.config as c, logging; c.dictConfig({'version': 1, 'formatters': {'f': {'format': "
        "'own %(message)s'}}, 'handlers': {'h': {'class': 'logging.StreamHandler', 'formatter': 'f'}}, "
        "'root': {'level': 'INFO', 'handlers': ['h']}}); logging.info('told')",
    ],
)
def test_a_model_that_configures_logging_logs_in_its_own_way(
    frontend: RpcFrontend, start: Start, code: str
) -> None:
    container = start(running(code))
    frontend.predict(frontend.accept().identity, [[1.0]])
    container.wait_for_line("^own told$")
    assert container.log.count("told") == 1

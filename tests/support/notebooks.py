"""Real Jupyter kernels, whose cells a test runs one after the other."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.support.paths import REPOSITORY

_TIMEOUT_S = 120.0
_NOTEBOOK = re.compile(r"^## In a notebook\n+```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


class CellError(Exception):
    """A cell raised: the name of the exception and its text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.text = text


class Notebook:
    """A kernel in a process of its own, in the folder `directory`."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = {
            **os.environ,
            **environment,
            "IPYTHONDIR": str(directory / "ipython"),
            "JUPYTER_RUNTIME_DIR": str(directory / "runtime"),
        }
        self._manager = KernelManager(kernel_name="python3")
        self._client: BlockingKernelClient

    def __enter__(self) -> Self:
        self._manager.start_kernel(cwd=str(self._directory), env=self._environment)
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=_TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)

    def begin(self, cell: str) -> str:
        """Run a cell without waiting for it, and return the id by which to wait for it."""
        return str(self._client.execute(cell))

    def finish(self, message_id: str) -> str:
        """Return what a cell printed, once it has ended. Raises CellError if it raised."""
        self._find_reply(message_id)
        printed, error = [], None
        while True:
            message: dict[str, Any] = self._client.get_iopub_msg(timeout=_TIMEOUT_S)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed.append(content["text"])
            elif kind == "error":
                error = CellError(content["ename"], content["evalue"])
            elif kind == "status" and content["execution_state"] == "idle":
                break
        if error:
            raise error
        return "".join(printed)

    def run(self, cell: str) -> str:
        """Run a cell to its end, and return what it printed. Raises CellError if it raised."""
        return self.finish(self.begin(cell))

    def interrupt(self) -> None:
        """Interrupt the cell that runs, as the stop button does."""
        self._manager.interrupt_kernel()

    def restart(self) -> None:
        """Kill the kernel and start it anew, without its names."""
        self._manager.restart_kernel(now=True)
        self._client.wait_for_ready(timeout=_TIMEOUT_S)

    def _find_reply(self, message_id: str) -> None:
        deadline_s = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline_s:
            reply: dict[str, Any] = self._client.get_shell_msg(timeout=_TIMEOUT_S)
            if reply["parent_header"].get("msg_id") == message_id:
                return
        raise TimeoutError(f"A cell did not end within {_TIMEOUT_S:g} s.")


def read_first_page() -> list[str]:
    """Return the cells of the first page's notebook."""
    found = _NOTEBOOK.search((REPOSITORY / "README.md").read_text())
    assert found is not None
    return re.split(r"\n\n(?=\S)", found[1].strip())

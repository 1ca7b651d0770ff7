"""A page in a headless Chromium, steered through its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.docker.engine import MissingServiceError
from tests.support.processes import START_TIMEOUT_S, eventually

_POLL_S = 0.1
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # A free one, which it writes into a file.
    "--remote-debugging-port=0",
)


class PageError(Exception):
    """The browser refused a command; the message is its reason."""


class Page:
    """One page of a browser that runs."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def resize(self, width: int, height: int) -> None:
        """Set the page's size, in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self._call("Emulation.setDeviceMetricsOverride", **size)

    async def open(self, url: str) -> None:
        """Go to an address, without waiting until it has loaded."""
        await self._call("Page.navigate", url=url)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, as its JSON."""
        answer = await self._call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def wait_for(self, expression: str, timeout_s: float = 30.0) -> None:
        """Return once an expression is true. Raises TimeoutError, with the page's text, if it never is."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    # A page that is being replaced answers with an error.
                    with contextlib.suppress(PageError):
                        if await self.evaluate(expression):
                            return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            text = await self.evaluate("document.body.innerText")
            raise TimeoutError(f"{expression} is not true; the page's text:\n{text}") from error

    async def screenshot(self) -> bytes:
        """Return what the window shows, as a PNG."""
        answer = await self._call("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async for message in self._socket:
            # Events have no id.
            if (answer := message.json()).get("id") == number:
                if "error" in answer:
                    raise PageError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
        raise ConnectionError(f"Chromium has gone away during {method}")


@contextlib.asynccontextmanager
async def open_page(width: int, height: int) -> AsyncIterator[Page]:
    """Start a browser with one empty page, and end it. Raises MissingServiceError if there is none."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, _browser(profile) as port:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", trust_env=False) as session:
            url = await _find_page(session)
            async with session.ws_connect(url, max_msg_size=0) as socket:
                page = Page(socket)
                await page.resize(width, height)
                yield page


async def _find_page(session: aiohttp.ClientSession) -> str:
    """Return the first page's DevTools URL, once there is one; the browser listens before that."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while True:
            async with session.get("/json/list") as answer:
                for each in await answer.json():
                    if each["type"] == "page":
                        return str(each["webSocketDebuggerUrl"])
            await asyncio.sleep(_POLL_S)


@contextlib.contextmanager
def _browser(profile: str) -> Iterator[int]:
    """Run a browser, and give the port of its DevTools."""
    program = shutil.which("chromium")
    if program is None:
        raise MissingServiceError("there is no chromium: install Debian's package of that name")
    command = [program, *_FLAGS, f"--user-data-dir={profile}"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")
    nowhere = subprocess.DEVNULL
    browser = subprocess.Popen([*command, "about:blank"], stdin=nowhere, stdout=nowhere, stderr=nowhere)
    port_path = Path(profile) / "DevToolsActivePort"
    try:
        eventually(lambda: port_path.exists() and "\n" in port_path.read_text(), "Chromium has a port")
        yield int(port_path.read_text().split()[0])
    finally:
        browser.terminate()
        browser.wait()

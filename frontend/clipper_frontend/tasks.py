"""The end of a task: it is cancelled until it has ended.

One cancellation is not enough: if it arrives while a library's own timeout of zero fires, the library takes
it for the timeout and swallows it (redis-py's read_response does this).
"""

from __future__ import annotations

import asyncio
from typing import Any

_REPEAT_AFTER_S = 0.1


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and return when it has ended, with or without an exception."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_REPEAT_AFTER_S)

"""How a task is ended: cancelled, and waited for.

A cancellation that arrives while a library's own time limit of zero fires is taken for that limit and lost
(redis-py's read_response does this), so it is repeated until the task has ended.
"""

from __future__ import annotations

import asyncio
from typing import Any

_REPEAT_AFTER_S = 0.1


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and return when it has ended, however it did."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_REPEAT_AFTER_S)

"""Threads that run functions for an event loop, one at a time each. They are kept for the next one.

A function cannot be ended from outside. One that hangs keeps its thread; none of them keeps the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

Job = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]


class Worker:
    """One thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, idle: list[Worker]) -> None:
        self.loop, self.idle = loop, idle
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            function, arguments, future = self.jobs.get()
            result: Any = None
            error: Exception | None = None
            try:
                result = function(*arguments)
            except StopIteration:  # a future cannot carry it
                error = RuntimeError("the handler raised StopIteration")
            except BaseException as raised:  # noqa: BLE001 - handed to whoever waits
                error = raised if isinstance(raised, Exception) else RuntimeError(repr(raised))
            if self.loop.is_closed():
                return
            self.loop.call_soon_threadsafe(self._tell, future, result, error)
            del function, arguments, future, result, error  # nothing of it is kept while it waits

    def _tell(self, future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
        self.idle.append(self)
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


_IDLE: dict[asyncio.AbstractEventLoop, list[Worker]] = {}


def in_thread(function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
    """Run a function in a thread that does nothing else meanwhile."""
    loop = asyncio.get_running_loop()
    if loop not in _IDLE:
        for other in [one for one in _IDLE if one.is_closed()]:
            del _IDLE[other]
        _IDLE[loop] = []
    idle = _IDLE[loop]
    worker = idle.pop() if idle else Worker(loop, idle)
    future: asyncio.Future[Any] = loop.create_future()
    future.add_done_callback(_seen)
    worker.jobs.put((function, arguments, future))
    return future


def _seen(future: asyncio.Future[Any]) -> None:
    """Keep asyncio from complaining of an error that nobody waited for any more."""
    if not future.cancelled():
        future.exception()

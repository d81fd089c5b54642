"""How many requests the handler answers at once, and how long it may take. Its calls run in threads.

A call cannot be ended from outside: one that takes too long is answered with 504, and its place stays taken
until it has really ended. So there are never more calls than places.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from .refusal import Refusal


class Gate:
    """Counts places. All but the handler's own calls happens in the event loop."""

    def __init__(self, places: int, timeout_s: float) -> None:
        self.places, self.timeout_s, self.taken = places, timeout_s, 0

    def enter(self) -> Place:
        """Take a place.

        Raises:
            Refusal: all are taken (429).
        """
        if self.taken >= self.places:
            raise Refusal(
                429, f"{self.places} requests are already being answered: try again later"
            )
        self.taken += 1
        return Place(self)


class Place:
    """The right to one call at a time."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.running: asyncio.Future[Any] | None = None
        self.left = False

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function of the handler in a thread and wait for it.

        Raises:
            Refusal: it takes too long (504). What the function raises passes through.
        """
        self.running = in_thread(function, *arguments)
        try:
            return await asyncio.wait_for(asyncio.shield(self.running), self.gate.timeout_s)
        except TimeoutError:
            if self.running.done():  # the handler's own TimeoutError
                raise
            raise Refusal(504, f"no answer within {self.gate.timeout_s:g} s") from None

    def leave(self, last: Callable[[], Any] | None = None) -> None:
        """Give the place back: now, or when the call that still runs has ended and `last` has run after it."""
        if self.left:
            return
        self.left = True
        if self.running is None or self.running.done():
            self._end(last)
        else:
            self.running.add_done_callback(lambda _: self._end(last))

    def _end(self, last: Callable[[], Any] | None) -> None:
        if last is None:
            self._free()
        else:
            in_thread(last).add_done_callback(lambda _: self._free())

    def _free(self) -> None:
        self.gate.taken -= 1


def in_thread(function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
    """Run a function in a thread of its own, which does not keep the process from ending."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    future.add_done_callback(_seen)

    def tell(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        error: Exception | None = None
        try:
            result = function(*arguments)
        except StopIteration:  # a future cannot carry it
            error = RuntimeError("the handler raised StopIteration")
        except BaseException as raised:  # noqa: BLE001 - handed to whoever waits
            error = raised if isinstance(raised, Exception) else RuntimeError(repr(raised))
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _seen(future: asyncio.Future[Any]) -> None:
    """Keep asyncio from complaining of an error that nobody waited for any more."""
    if not future.cancelled():
        future.exception()

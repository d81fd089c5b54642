"""How many requests the handler answers at once, how many wait for that, and how long each may take.

A call cannot be ended from outside: one that takes too long is answered with 504, and its place stays taken until it has
really ended. So there are never more calls than places. Where such calls hold every place, or one of them holds its own
for as long again, the server is not healthy any more: whoever started it starts it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from .refusal import Refusal
from .workers import in_thread


class Gate:
    """Counts places, and those who wait for one. All but the handler's own calls happens in the event loop."""

    def __init__(
        self, places: int, timeout_s: float, waiting: int = 0, waiting_s: float = 0
    ) -> None:
        self.places, self.timeout_s, self.taken = places, timeout_s, 0
        self.waiting, self.waiting_s = waiting, waiting_s
        self.queue: dict[asyncio.Future[None], None] = {}
        self.late: dict[Place, float] = {}

    async def enter(self) -> Place:
        """Take a place, when there is one.

        Raises:
            Refusal: too many wait already, or none became free for too long (429).
        """
        if self.taken >= self.places:
            await self._turn()
        else:
            self.taken += 1
        return Place(self)

    async def _turn(self) -> None:
        if len(self.queue) >= self.waiting:
            what = f"{self.places} requests are already being answered"
            more = f" and {len(self.queue):,} wait" if self.queue else ""
            raise Refusal(429, f"{what}{more}: try again later")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self.queue[turn] = None
        timer = loop.call_later(self.waiting_s, _refuse, turn, self.waiting_s)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.free()  # it was given a place, and has gone
            raise
        finally:
            timer.cancel()
            self.queue.pop(turn, None)

    def free(self) -> None:
        """Give a place to the next who waits, or leave it free."""
        self.taken -= 1
        while self.queue:
            turn = next(iter(self.queue))
            del self.queue[turn]
            if not turn.done():
                self.taken += 1  # on its behalf
                turn.set_result(None)
                return

    @property
    def is_stuck(self) -> bool:
        """Whether calls that should have ended hold every place, or one for as long again as it had."""
        now = time.monotonic()
        return len(self.late) >= self.places or any(
            now - since > self.timeout_s for since in self.late.values()
        )


def _refuse(turn: asyncio.Future[None], seconds: float) -> None:
    if not turn.done():
        turn.set_exception(Refusal(429, f"no place became free within {seconds:g} s: try again"))


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
        self.running = running = in_thread(function, *arguments)
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(self.gate.timeout_s, _end, over)
        running.add_done_callback(lambda _: _end(over))
        try:
            await over
        finally:
            timer.cancel()
        if running.done():
            return running.result()
        self.gate.late[self] = time.monotonic()
        raise Refusal(504, f"no answer within {self.gate.timeout_s:g} s")

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
        self.gate.late.pop(self, None)
        self.gate.free()


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

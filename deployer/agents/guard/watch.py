"""Whether the engine answers its health check: for the first time, and ever after."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .parts import Whole

LOADING_S, WELL_S = 0.1, 1.0
"""How often it is asked, until it is healthy and then."""
ANSWER_S = 5.0
SILENT_S = 30.0
"""How long an engine may leave its health check unanswered before it counts as hung."""
UNWELL_TIMES = 3
"""How often in a row it may say that it is not well."""


class Watch:
    """Asks the engine how it is, and tells the guard's owner what it should know."""

    def __init__(self, guard: Whole, path: str) -> None:
        self.guard, self.path = guard, path
        self.since: float | None = None
        self.unwell = 0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            if self.guard.engine is not None:
                await self._look()
            await asyncio.sleep(WELL_S if self.guard.calls.is_open else LOADING_S)

    async def _look(self) -> None:
        engine = self.guard.engine
        status = await self._ask()
        if engine is not self.guard.engine or engine is None:  # another one since
            return
        if status == 200:
            self.since, self.unwell = None, 0
            self.guard.is_sick = False
            self.guard.well()
        elif engine.was_well:
            self._ill(status)

    def _ill(self, status: int | None) -> None:
        now = self.guard.now()
        self.since = now if self.since is None else self.since
        self.unwell += status is not None
        self.guard.is_sick = True
        self.guard.calls.close()
        if self.unwell >= UNWELL_TIMES:
            self._hung(f"its health check answers {status}")
        elif now - self.since > SILENT_S:
            self._hung(f"its health check has not been answered for {SILENT_S:.0f} s")

    def _hung(self, why: str) -> None:
        self.since, self.unwell = None, 0
        self.guard.hung(why)

    def look_at_places(self) -> None:
        """Notice that all places are held by calls of which nothing was heard for too long."""
        silent_s = self.guard.limits.silent_s
        engine = self.guard.engine
        if engine is None or not engine.was_well:
            return
        if self.guard.now() - self.guard.calls.silent_since() > silent_s:
            self.guard.hung(f"none of its calls has got any answer for {silent_s:g} s")

    async def _ask(self) -> int | None:
        """Return the status of the health check; None: it does not answer."""
        try:
            return await asyncio.wait_for(self._asked(), ANSWER_S)
        except (TimeoutError, OSError, ValueError, IndexError):
            return None

    async def _asked(self) -> int:
        reader, writer = await self.guard.open_stream()
        try:
            head = f"GET {self.path} HTTP/1.1\r\nhost: engine\r\nconnection: close\r\n\r\n"
            writer.write(head.encode())
            return int((await reader.readline()).split()[1])
        finally:
            writer.transport.abort()

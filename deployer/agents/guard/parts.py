"""How the parts of a guard see each other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from . import wire
from .callers import Callers
from .limits import Limits
from .places import Places


class Engine(Protocol):
    """A started engine: the key that it was given, and whether it was ever healthy."""

    key: str
    was_well: bool


class Whole(Protocol):
    """The guard, as its parts see it."""

    key: str
    limits: Limits
    callers: Callers
    calls: Places
    is_draining: bool
    is_sick: bool

    @property
    def engine(self) -> Engine | None:
        """The engine that runs now."""

    @property
    def health(self) -> bytes:
        """The path of its health check."""

    def now(self) -> float:
        """The time, in seconds."""

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine to its end."""

    def is_open(self, asked: wire.Request) -> bool:
        """Whether a request is answered without a key."""

    def has_key(self, asked: wire.Request) -> bool:
        """Whether a request has the key."""

    def lane(self, asked: wire.Request) -> Places:
        """Where a request waits."""

    def hold(self, count: int) -> bool:
        """Count bytes of bodies that are kept; False: there is no room for them."""

    def release(self, count: int) -> None:
        """Bytes of bodies are kept no more."""

    def well(self) -> None:
        """The engine is healthy."""

    def hung(self, why: str) -> None:
        """The engine must be started again."""

    async def open_stream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the engine, for a question of the guard's own."""


class Asker(Protocol):
    """Who asked, as the exchange sees them."""

    transport: asyncio.Transport
    goes_on: bool

    def answered(self) -> None:
        """An answer has been given to its end."""

    def refuse(self, status: int, message: str, *, goes_on: bool = False) -> None:
        """Answer with an error."""

    def cut(self) -> None:
        """End it in the middle of an answer."""

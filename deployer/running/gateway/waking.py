"""A model that sleeps: it is asked again until it has woken, for so long and no longer.

How a service says that its model sleeps is known by its backend; the call itself wakes it. The clock and the pause
are arguments.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from deployer.running.gateway.errors import Failed

Anything = TypeVar("Anything")
FIRST_S, LONGEST_S = 2.0, 15.0
"""The pause before the second attempt, and the longest one."""
CANCELLED = 499
"""The caller has gone."""


@dataclass(frozen=True)
class Patience:
    """How long a call is held, and who is told while it is. `pause` returns true when the caller has gone."""

    limit_s: float
    say: Callable[[float], None] = lambda waited: None  # noqa: ARG005 - nobody listens
    clock: Callable[[], float] = time.monotonic
    gone: threading.Event = field(default_factory=threading.Event)
    pause: Callable[[float], Any] | None = None

    def wait(self, seconds: float) -> bool:
        """Pause; return whether the caller has gone meanwhile."""
        if self.pause is not None:
            self.pause(seconds)
            return self.gone.is_set()
        return self.gone.wait(seconds)


def says_so(error: Exception) -> bool:
    """Whether an error of our own says that the model sleeps, by its `asleep`."""
    return bool(getattr(error, "asleep", False))


def awake(
    call: Callable[[], Anything],
    patience: Patience,
    asleep: Callable[[Exception], bool] = says_so,
) -> Anything:
    """Call until the model answers; what is wrong otherwise passes through.

    Raises:
        Failed: it did not wake in time (503), or the caller has gone (499).
    """
    started, pause = patience.clock(), FIRST_S
    while True:
        try:
            return call()
        except Exception as error:
            if not asleep(error):
                raise
            last = str(error)
        waited = patience.clock() - started
        if waited + pause > patience.limit_s:
            said = (
                f"the model did not wake within {patience.limit_s:.0f} s ({last}); ask again later"
            )
            raise Failed(503, said, code="model_not_ready", retry=False)
        patience.say(waited)
        if patience.wait(pause):
            raise Failed(CANCELLED, "the caller has gone", code="cancelled")
        pause = min(LONGEST_S, pause * 1.5)

"""How far a download is, in lines for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

STEP = 10
"""A line for each so many percent."""
BAR = 20
GB = 10**9


def bar(done: int, total: int) -> str:
    """Draw `[#####...............]  25 %  2.0 of 8.1 GB` of two numbers of bytes."""
    full = BAR * done // total
    drawn = "#" * full + "." * (BAR - full)
    return f"[{drawn}] {100 * done // total:3d} %  {done / GB:.1f} of {total / GB:.1f} GB"


@dataclass
class Growth:
    """A folder that grows by `total` bytes (None: nobody knows how many) from what it held when first seen.

    What was there already is not counted, so a download that is taken up again ends below its total; and
    it never says 100 %, which only the engine knows.
    """

    total: int | None
    first: int | None = field(default=None, init=False)
    shown: int = field(default=0, init=False)

    def line(self, held: int | None) -> str | None:
        """Return what to say now that the folder holds so many bytes; None when that is nothing new."""
        if held is None:
            return None
        if self.first is None:
            self.first = held
        done = held - self.first
        return self._counted(done) if self.total is None else self._of(self.total, done)

    def _of(self, total: int, done: int) -> str | None:
        step = min(100 * done // total, 99) // STEP * STEP
        if step <= self.shown:
            return None
        self.shown = step
        return f"weights {bar(min(done, total * 99 // 100), total)}"

    def _counted(self, done: int) -> str | None:
        if done // GB <= self.shown:
            return None
        self.shown = done // GB
        return f"weights {done / GB:.1f} GB"

"""Read a log that may be turned over while it is read."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from deployer.core.files import open_own

RUN = "run.json"
"""What `process.start` writes beside the log at each start."""
LOOK_S = 0.2
"""How often a followed log is looked at."""


def older(path: Path) -> Path:
    """Return where the log before this one lies."""
    return path.with_suffix(".log.1")


def tail(path: Path, count: int | None) -> list[str]:
    """Return the last lines of a log, or all of it and of the older one for None.

    The last lines are those of the last try to start: the older log counts only as far as it is the beginning of this one,
    which was turned over because it had grown too long.
    """
    whole = count is None or _turned_over(path)
    return list(deque([*(_lines(older(path)) if whole else ()), *_lines(path)], maxlen=count))


def follow(path: Path, count: int | None, alive: Callable[[], bool]) -> Iterator[str]:
    """Yield the last lines, then each further one as it comes, until nothing writes any more."""
    with closing(_Reader(path)) as reader:
        yield from deque([*_lines(older(path)), *reader.read()], maxlen=count)
        while True:
            going_on = alive()
            yield from reader.read()
            if not going_on:
                return
            time.sleep(LOOK_S)


def _turned_over(path: Path) -> bool:
    """Whether the older log was put aside by the supervisor, for its size: it was written to since the last start."""
    try:
        return older(path).stat().st_mtime_ns >= path.with_name(RUN).stat().st_mtime_ns
    except FileNotFoundError:
        return True


def _lines(path: Path) -> list[str]:
    try:
        with open_own(path) as file:
            return file.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


class _Reader:
    """Reads on where it stopped, in the older file to its end and then in the new one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO | None = None
        self.rest = b""

    def read(self) -> list[str]:
        """Return the whole lines that were added since."""
        text = self.rest + self._to_the_end()
        if self._turned_over():
            text += self._to_the_end()
        whole, _, self.rest = text.rpartition(b"\n")
        return whole.decode("utf-8", errors="replace").split("\n") if whole else []

    def _to_the_end(self) -> bytes:
        return self.file.read() if self.file else b""

    def _turned_over(self) -> bool:
        """Open the file that stands at the path now, unless it is the open one."""
        try:
            if self.file and os.path.samestat(os.fstat(self.file.fileno()), self.path.stat()):
                return False
            fresh = open_own(self.path)
        except FileNotFoundError:
            return False
        self.close()
        self.file = fresh
        return True

    def close(self) -> None:
        """Close the open file."""
        if self.file:
            self.file.close()

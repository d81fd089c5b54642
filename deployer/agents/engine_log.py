"""What an engine says, as it is kept: a file that turns over, without the lines that may repeat a request."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path

LOG_BYTES = 10 * 2**20
"""The log is turned over at this size; one older log is kept."""
LONGEST_LINE = 2**16


class Log:
    """The engine's log. A full disk loses lines, never the engine."""

    def __init__(self, path: Path, limit: int = LOG_BYTES) -> None:
        self.path, self.limit = path, limit

    def write(self, text: bytes) -> None:
        """Append, and turn the file over when it has grown too long."""
        if not text:
            return
        with contextlib.suppress(OSError), self.path.open("ab") as file:
            file.write(text)
            if file.tell() > self.limit:
                self.path.replace(self.path.with_suffix(".log.1"))

    def say(self, text: str) -> None:
        """Append a line of the supervisor's own."""
        self.write(f"supervisor: {text}\n".encode())


class Sieve:
    """Lets through the lines of an engine that are known to repeat nothing of a request; None: all of them.

    Until `close` everything passes: an engine that has been given no request yet cannot repeat one.
    """

    def __init__(self, known: Sequence[str] | None) -> None:
        self.known = None if known is None else re.compile("|".join(f"(?:{k})" for k in known))
        self.closed = False
        self.rest = b""

    def close(self) -> None:
        """From the next line on, only those that are known pass."""
        self.closed = self.known is not None

    def sift(self, text: bytes) -> bytes:
        """Return what is kept of a text; the beginning of a line waits for its end."""
        if not self.closed and not self.rest:
            return text
        *lines, self.rest = (self.rest + text).split(b"\n")
        if len(self.rest) > LONGEST_LINE:
            lines.append(self.rest)
            self.rest = b""
        kept = [line for line in lines if self._passes(line)]
        withheld = len(lines) - len(kept)
        if withheld:
            kept.append(b"supervisor: %d lines withheld: they may repeat a request" % withheld)
        return b"".join(line + b"\n" for line in kept)

    def _passes(self, line: bytes) -> bool:
        if not self.closed or self.known is None:
            return True
        return self.known.fullmatch(line.decode("utf-8", "replace").rstrip("\r")) is not None

"""A binary file that is read forwards in small steps, and never beyond its end. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from deployer.core.errors import UsageError
from deployer.planning.model_facts.strict_json import bad

_LENGTH = struct.Struct("<Q").unpack_from
_LONGEST_NAME, _KEPT_TEXT, _CHUNK = 1024, 4096, 2**16
_MOST_TEXTS = 5_000_000  # a vocabulary of 256,000 with its merges has 800,000


@dataclass(frozen=True)
class Skipped:
    """A long text or list that was passed over: how many bytes or items it has."""

    count: int


class Source:
    """A GGUF file of `size` bytes, open at its start. `where` names it in errors.

    Every method raises `UsageError` where the file ends too early.
    """

    def __init__(self, file: BinaryIO, size: int, where: str) -> None:
        self.file, self.size, self.where, self.at = file, size, where, 0
        self.texts = 0  # in all lists so far

    def need(self, count: int) -> None:
        """Check that `count` more bytes are there."""
        if count > self.size - self.at:
            raise self._short()

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        self.need(count)
        self.at += count
        return self.file.read(count)

    def skip(self, count: int) -> None:
        """Pass over `count` bytes."""
        self.need(count)
        self.at += count
        self.file.seek(count, 1)

    def scalar(self, form: str) -> Any:
        """Read one number in a form of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def name(self) -> str:
        """Read the name of a key or a tensor, at most 1024 bytes."""
        length = self.scalar("<Q")
        if length > _LONGEST_NAME:
            raise bad(self.where, f"has a name of {length:,} bytes")
        return self.take(length).decode(errors="replace")

    def text(self) -> str | Skipped:
        """Read a text, or pass over one above 4096 bytes (a chat template)."""
        length = self.scalar("<Q")
        if length > _KEPT_TEXT:
            self.skip(length)
            return Skipped(length)
        return self.take(length).decode(errors="replace")

    def skip_texts(self, count: int) -> None:
        """Pass over `count` texts. A vocabulary has 200,000, so they are walked in large chunks."""
        self.need(count * 8)
        self.texts += count
        if self.texts > _MOST_TEXTS:
            raise bad(self.where, f"has lists of {self.texts:,} strings")
        held, at = b"", 0
        while count:
            held, at = held[at:] + self.take(min(_CHUNK, self.size - self.at)), 0
            if len(held) < 8:
                raise self._short()
            while count and at + 8 <= len(held):
                at += 8 + _LENGTH(held, at)[0]
                count -= 1
            if at > len(held):
                self.skip(at - len(held))
                held, at = b"", 0
        self.at -= len(held) - at
        self.file.seek(self.at)

    def _short(self) -> UsageError:
        return bad(self.where, f"is truncated: it ends at byte {self.size:,}, inside its header")

"""What is costly to work out is kept as JSON, a file for each answer, and worked out anew where that fails.

A cache never fails: what cannot be read, is damaged or was written by somebody else is not known, and what
cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from deployer.core.errors import DeployerError
from deployer.core.files import check_own, read_own, replace_file
from deployer.core.home import make_folder

MOST_BYTES = 16 * 2**20
"""A longer file is none of ours."""
UNREADABLE = (
    ArithmeticError,
    AttributeError,
    DeployerError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""All that reading a damaged file may end in."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Cache(Generic[Value]):
    """A folder of answers. `folder` None: nothing is known and nothing is kept.

    `read` makes the value of the JSON that was kept; whatever it raises of a damaged file (`UNREADABLE`)
    means that nothing is known.
    """

    folder: Path | None
    read: Callable[[Any], Value]

    def get(self, key: str) -> Value | None:
        """Return what was kept under a key, or None."""
        if self.folder is None:
            return None
        with suppress(*UNREADABLE):
            file = self._file(self.folder, key)
            return self.read(json.loads(read_own(file, MOST_BYTES)))
        return None

    def put(self, key: str, plain: Any) -> None:
        """Keep the JSON of a value. A full or read-only disk only costs the next look-up."""
        if self.folder is None:
            return
        with suppress(OSError, DeployerError):
            make_folder(self.folder)
            check_own(self._file(self.folder, key))
            replace_file(self._file(self.folder, key), json.dumps(plain), mode=0o600)

    @staticmethod
    def _file(folder: Path, key: str) -> Path:
        return folder / f"{key}.json"


def digest(asked: Any, code: Iterable[Path]) -> str:
    """Return the key of an answer: SHA-256 of what was asked, as JSON, and of the files that decide about it."""
    parts = [json.dumps(asked, sort_keys=True, default=str).encode()]
    parts += (hashlib.sha256(file.read_bytes()).digest() for file in code)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def fresh(since: str, now: str, hours: float) -> bool:
    """Whether a time is at most so many hours old, both ISO 8601 (UTC where no zone is named).

    One from the future is not, nor one that cannot be read.
    """
    try:
        age = _utc(now) - _utc(since)
    except ValueError:
        return False
    return timedelta(0) <= age <= timedelta(hours=hours)


def _utc(said: str) -> datetime:
    read = datetime.fromisoformat(said)
    return read if read.tzinfo else read.replace(tzinfo=UTC)

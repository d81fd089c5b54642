"""Looking at what strangers put on a disk: pipes, devices, loops and folders without end. Pure.

Only plain files are read (a link to one is one), and opening one never waits: a pipe that nobody writes to
would hold a plan for ever.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from deployer.core.errors import UsageError

MOST_FILES = 1000
"""Most weight files of one model; the largest published ones have about 200."""
POINTERS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
"""What a Git LFS pointer begins with, of today and of old: the text that stands in a clone for a file that was not fetched."""
LONGEST_POINTER = 1024
"""A pointer is shorter than this, in bytes (git-lfs, docs/spec.md)."""

Kind = Literal["folder", "file", "other"]


def look(path: Path) -> Kind | None:
    """Say what a path leads to; None: nothing is there.

    Raises:
        UsageError: that cannot be seen: no permission, links that lead in a circle, a name too long.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "other"


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a plain file and hand it over with its size in bytes.

    Raises:
        UsageError: it cannot be opened or read, is no plain file, or is the pointer of one in Git LFS.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise UsageError(
            f"{path} is not a plain file",
            hint="put the model's file there, or a symbolic link to it",
            where=str(path),
        )
    with os.fdopen(descriptor, "rb") as file:
        try:
            _refuse_pointer(file, status.st_size, path)
            yield file, status.st_size
        except OSError as error:
            raise unreadable(path, error) from None


def _refuse_pointer(file: BinaryIO, size: int, path: Path) -> None:
    if size >= LONGEST_POINTER:
        return
    begins = file.read(len(POINTERS[0]))
    file.seek(0)
    if begins.startswith(POINTERS):
        raise UsageError(
            f"{path} is a Git LFS pointer: the file itself was not fetched",
            hint=f"fetch it: git -C {path.parent} lfs pull (git-lfs must be installed), or hf download",
            where=str(path),
        )


def refuse_pointers(folder: Path) -> None:
    """Refuse a folder where the pointer of any file in Git LFS stands in its place: a tokenizer, a shard.

    Raises:
        UsageError: it names the first one, or the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            small = (e.name for e in entries if e.is_file() and e.stat().st_size < LONGEST_POINTER)
            names = sorted(itertools.islice(small, MOST_FILES))
    except OSError as error:
        raise unreadable(folder, error) from None
    for name in names:
        with suppress(PermissionError), (folder / name).open("rb") as file:
            _refuse_pointer(file, 0, folder / name)


def listed(folder: Path, suffix: str) -> tuple[Path, ...]:
    """Return what is in a folder under names that end in `suffix`, in order.

    Raises:
        UsageError: the folder cannot be read, or holds more than `MOST_FILES` of them.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.endswith(suffix)]
    except OSError as error:
        raise unreadable(folder, error) from None
    few(len(names), folder)
    return tuple(folder / name for name in sorted(names))


def few(count: int, place: Path) -> None:
    """Refuse more files than any model has."""
    if count > MOST_FILES:
        raise UsageError(
            f"{place} has {count:,} weight files, more than the limit of {MOST_FILES:,}",
            hint="set model.source to the folder of one model",
            where=str(place),
        )


def unreadable(path: Path, error: Exception) -> UsageError:
    """Return the error of a path that the system does not let us read."""
    why = getattr(error, "strerror", None) or str(error)
    return UsageError(
        f"{path} cannot be read: {why}",
        hint="set model.source to a path that you can read",
        where=str(path),
    )

"""Hands the listening socket of a guard to another process of the same user: so one run takes another one's place."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .guard import Guard

NAME = "handover.sock"
WAIT_S = 5.0
LONGEST_PATH = 100
"""Bytes of a Unix socket's path that every system takes."""


def offer(guard: Guard, folder: Path, current: Callable[[], socket.socket | None]) -> None:
    """Give `current` to whoever of this user asks for it at the folder's socket. To be called in the guard's thread."""
    path = folder / NAME
    path.unlink(missing_ok=True)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with reachable(path) as name:
        door.bind(name)
    door.listen(4)
    door.setblocking(False)

    def give() -> None:
        with contextlib.suppress(OSError):
            line, _ = door.accept()
            listener = current()
            with line:
                if listener is not None and _is_own(line):
                    socket.send_fds(line, [b"1"], [listener.fileno()])

    guard.loop.add_reader(door, give)


@contextlib.contextmanager
def asked(folder: Path) -> Iterator[socket.socket | None]:
    """The listening socket of the guard that runs in a folder, while it is needed; None where none gives it."""
    with _given(folder) or contextlib.nullcontext() as listener:
        yield listener


def _given(folder: Path) -> socket.socket | None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(WAIT_S)
        with reachable(folder / NAME) as name:
            line.connect(name)
        if _is_own(line):
            _, files, _, _ = socket.recv_fds(line, 1, 1)
            if files:
                return socket.socket(fileno=files[0])
    return None


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a name for a Unix socket that is short enough, whatever its path."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        yield path.name
    finally:
        os.chdir(before)


def _is_own(line: socket.socket) -> bool:
    """Whether the other end is a process of this user, where the system says so; the folder is this user's anyway."""
    if sys.platform != "linux":
        return True
    told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", told)[1] == os.getuid())

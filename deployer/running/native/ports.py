"""Which port of this machine to listen on, and how it is held.

What listens is opened here and handed to the supervisor: nobody else can have the port from then on. A container's port
is opened by Docker itself; a lock, the same for all homes of a user, lets only one of those who start at once try: it
lasts as long as a process that was handed it.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deployer.agents.guard.sockets import listening
from deployer.core.errors import PrerequisiteError

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8080, 8999


@dataclass(frozen=True)
class Reservation:
    """A port, the open file whose lock holds it (None: it is held by what listens there already), what listens."""

    port: int
    lock: int | None = None
    listener: socket.socket | None = None

    @property
    def locks(self) -> tuple[int, ...]:
        """The open files, as a process is handed them."""
        return () if self.lock is None else (self.lock,)


@contextmanager
def reserved(
    wanted: int | str, others: set[int], *, listens: bool = False
) -> Iterator[Reservation]:
    """Hold the port to listen on: the wanted one, or for "auto" the first free one from 8080 up.

    With `listens` something listens there already: the reservation's `listener`.

    Raises:
        PrerequisiteError: it is taken.
    """
    held = _reserve(wanted, others)
    if held.listener is not None and not listens:
        held.listener.close()
    try:
        yield held
    finally:
        for lock in held.locks:
            os.close(lock)
        if held.listener is not None:
            held.listener.close()


def _reserve(wanted: int | str, others: set[int]) -> Reservation:
    if wanted == "auto":
        for port in range(FIRST_PORT, LAST_PORT + 1):
            held = None if port in others else _held(port)
            if held is not None:
                return held
        raise PrerequisiteError(
            f"no port from {FIRST_PORT} to {LAST_PORT} is free", hint="set targets.local.port"
        )
    port = int(wanted)
    held = None if port in others else _held(port)
    if held is None:
        from deployer.running.native import process  # late: psutil, which a free port does not need

        by = process.holder(port)
        raise PrerequisiteError(
            f"port {port} is in use" + (f" by {by}" if by else ""),
            hint="stop the process that listens there, or set targets.local.port to another or to auto",
            where=f"{HOST}:{port}",
        )
    return held


def _held(port: int) -> Reservation | None:
    """Take the lock of a port that nobody listens on; None where somebody does, or is about to."""
    try:
        lock = _lock(port)
    except BlockingIOError:
        return None
    except OSError:  # no place for locks: what listens is all that can be seen
        lock = None
    try:
        return Reservation(port, lock, listening(HOST, port))
    except OSError:
        if lock is not None:
            os.close(lock)
    return None


def _lock(port: int) -> int:
    """Lock a file of this user's, which stands for the port.

    Raises:
        BlockingIOError: another process has it.
        OSError: there is no such file, and none can be made.
    """
    folder = Path(tempfile.gettempdir()) / f"deployer-ports-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise PermissionError(f"{folder} is somebody else's")
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock

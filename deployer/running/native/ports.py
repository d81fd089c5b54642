"""Which port of this machine to listen on, and how it is held until something listens there.

Engines share a port with whoever lets them (SO_REUSEPORT), so that two that start at once would both get it. A lock,
the same for all homes of a user, lets only one of them try: it lasts as long as a process that was handed it.
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

from deployer.core.errors import PrerequisiteError

HOST = "127.0.0.1"
FIRST_PORT, LAST_PORT = 8080, 8999


@dataclass(frozen=True)
class Reservation:
    """A port, and the open file whose lock holds it; None: it is held by what listens there already."""

    port: int
    lock: int | None = None

    @property
    def locks(self) -> tuple[int, ...]:
        """The open files, as a process is handed them."""
        return () if self.lock is None else (self.lock,)


@contextmanager
def reserved(wanted: int | str, others: set[int]) -> Iterator[Reservation]:
    """Hold the port to listen on: the wanted one, or for "auto" the first free one from 8080 up.

    Raises:
        PrerequisiteError: it is taken.
    """
    held = _reserve(wanted, others)
    try:
        yield held
    finally:
        for lock in held.locks:
            os.close(lock)


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
    if _is_free(port):
        return Reservation(port, lock)
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


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((HOST, port))
            line.listen(1)
        except OSError:
            return False
    return True

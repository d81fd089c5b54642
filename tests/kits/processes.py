"""What tests of processes share: a port that no other test has, and waiting for something to come true."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PORTS = range(20_000, 30_000)
"""Below the ports that systems hand out by themselves (Linux from 32768, macOS from 49152)."""
PATIENCE_S = 120.0
"""Far longer than anything here takes: only what never comes true waits so long."""

_taken: dict[int, int] = {}  # port: the file descriptor of its lock


def free_port() -> int:
    """Return a port that nobody listens on and that no other test will be given while this process lives."""
    for port in PORTS:
        if port not in _taken and (lock := _lock(port)) is not None:
            _taken[port] = lock  # also when somebody else listens there: it is not asked again
            if _is_free(port):
                return port
    raise AssertionError(f"no port of {PORTS} is free")


def _lock(port: int) -> int | None:
    """Take the lock of a port, which the system gives back when this process ends however it ends."""
    folder = Path(tempfile.gettempdir()) / f"deployer-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _is_free(port: int) -> bool:
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("0.0.0.0", port))  # noqa: S104 - it is not listened on
        except OSError:
            return False
    return True


def until(true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)

"""An HTTP server of a test's own on 127.0.0.1, and the AWS emulator: started, waited for, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

KIT = Path(os.environ.get("DEPLOYER_TEST_KIT") or Path(__file__).parents[3] / "shared")
EMULATOR = KIT / "emulator" / "aws_emulator.py"
PATIENCE_S = 600.0


@contextmanager
def served(handler: type[BaseHTTPRequestHandler], **bound: Any) -> Iterator[str]:
    """Serve by a handler class, with `bound` as attributes of the class, and yield its URL."""
    made = type("Bound", (handler,), bound)
    server = ThreadingHTTPServer(("127.0.0.1", 0), made)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def emulator(folder: Path, **environ: str) -> Iterator[str]:
    """Run the AWS emulator and yield its address. It is asked to end, so that its machines end first."""
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        port = line.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (folder / "emulator.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(EMULATOR), str(port)],
            env=os.environ | environ,
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: _answers(url, process), "the emulator answers")
            yield url
        finally:
            process.terminate()
            process.wait()


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the emulator ended"
    with suppress(OSError):
        urllib.request.urlopen(f"{url}/emulator/calls", timeout=5).close()
        return True
    return False


def until(
    condition: Callable[[], bool], what: str, told: Callable[[], str] = str, pause_s: float = 0.1
) -> None:
    """Wait for a condition; fail with what is `told` after ten minutes."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited in vain: {what}\n{told()}")
        time.sleep(pause_s)

"""The AWS emulator of the test kit, started for a test: `DEPLOYER_TEST_KIT`, or `../shared` beside the checkout."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
LONGEST_START_S = 120


def program() -> Path | None:
    """Return the emulator's program, or None where there is no test kit."""
    kit = Path(os.environ.get("DEPLOYER_TEST_KIT", ROOT.parent / "shared"))
    file = kit / "emulator" / "aws_emulator.py"
    return file if file.exists() else None


class Emulator:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def calls(self) -> dict[str, int]:
        """Count its calls by operation, since the last reset."""
        told: dict[str, int] = json.loads(_get(f"{self.url}/emulator/calls"))
        return told

    def fail(self, *faults: dict[str, Any]) -> None:
        """Make calls fail, as the kit's README says; none: no longer."""
        _get(f"{self.url}/emulator/faults", json.dumps(faults).encode())

    def reset(self) -> None:
        """Forget everything."""
        _get(f"{self.url}/moto-api/reset", b"")
        self.fail()


@contextmanager
def running(log: Path) -> Iterator[Emulator]:
    """Start an emulator and end it."""
    file = program()
    if file is None:
        raise FileNotFoundError("there is no test kit")
    port = _free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(file), str(port)], stdout=out, stderr=out, cwd=file.parent
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield Emulator(url)
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + LONGEST_START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            _get(f"{url}/emulator/calls")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the emulator did not start")


def _get(url: str, body: bytes | None = None) -> str:
    answer = httpx.request("GET" if body is None else "POST", url, content=body, timeout=60)
    return answer.raise_for_status().text

"""Keeps one engine running in the background: `python supervisor.py DIR`. Standard library only.

Reads `DIR/run.json` (`command`, a list; `health`, the host, port and path that say it is healthy;
`grace_s`, how long it may take to end; `environment`, added to its own; `secrets`, variables that are read
from files; `front`, a port or null), leaves the terminal, and appends what the engine says to
`DIR/engine.log`. An engine that crashes after it has been healthy once is started again, after 1 s, then
2 s, up to 60 s; before that, its end is the supervisor's end, so that whoever starts a deployment hears of
it (`DIR/deployment.json` has its word on that). SIGTERM stops the engine, at the latest by SIGKILL.
SIGUSR1 says that the engine serves now: from then on what comes in at `front` is handed to it, as soon as that port
is free. `DIR/supervisor.json` says how it is doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, Any

GRACE_S = 8.0
"""How long an engine may take to end after SIGTERM."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STEADY_S = 60.0
"""An engine that ran this long starts again after the first pause."""
LOOK_S = 0.5
"""How often it looks whether the engine is healthy, until it is."""
RETRY_S = 0.002
"""How often it is tried to listen where another one still does."""
PIECE_BYTES = 65536
LOG_BYTES = 10 * 2**20
"""The log is turned over at this size; one older log is kept."""
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Log:
    """The engine's log. A full disk loses lines, never the engine."""

    def __init__(self, path: Path, limit: int = LOG_BYTES) -> None:
        self.path, self.limit = path, limit

    def write(self, text: bytes) -> None:
        """Append, and turn the file over when it has grown too long."""
        with contextlib.suppress(OSError), self.path.open("ab") as file:
            file.write(text)
            if file.tell() > self.limit:
                self.path.replace(self.path.with_suffix(".log.1"))

    def say(self, text: str) -> None:
        """Append a line of the supervisor's own."""
        self.write(f"supervisor: {text}\n".encode())


class Supervisor:
    """Runs the engine until it is told to stop, or until it cannot be started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = json.loads((folder / "run.json").read_text())
        self.log = Log(folder / "engine.log")
        self.stopping = False
        self.engine: subprocess.Popen[bytes] | None = None
        self.report: dict[str, Any] = {"pid": os.getpid(), "restarts": 0, "last_exit": None}
        self.healthy = False
        self.looked = 0.0
        self.relay: Relay | None = None
        self.telling = threading.Lock()

    def run(self) -> None:
        """Start the engine, and start it again after each crash."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        signal.signal(signal.SIGUSR1, self._serve)
        pause = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            code = self._run_once()
            if self.stopping or not self._was_healthy():
                return
            pause = FIRST_PAUSE_S if time.monotonic() - began >= STEADY_S else pause
            self.log.say(f"{ended(code)}; restarting in {pause:.0f} s")
            if not self._sleep(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE_S)
            self.report["restarts"] += 1

    def _run_once(self) -> int:
        try:
            self.engine = start(self.config["command"], self.folder, self._environment())
        except OSError as error:
            self.log.say(f"the engine cannot be started: {error}")
            return 127
        self._tell(child_pid=self.engine.pid)
        if self.stopping:  # told while it was being started
            self.engine.terminate()
        self._follow(self.engine)
        code = self.engine.wait()
        self._tell(child_pid=None, last_exit=code)
        if self.stopping or not self._was_healthy():
            self.log.say(ended(code))
        return code

    def _environment(self) -> dict[str, str]:
        secrets = self.config.get("secrets", {}).items()
        told = {name: Path(file).read_text().strip() for name, file in secrets}
        return {**os.environ, **self.config.get("environment", {}), **told}

    def _follow(self, engine: subprocess.Popen[bytes]) -> None:
        """Copy what the engine says to the log until it ends."""
        pipe: IO[bytes] | None = engine.stdout
        assert pipe is not None  # noqa: S101 - it was started with a pipe
        while True:
            ready, _, _ = select.select([pipe], [], [], LOOK_S)
            text = os.read(pipe.fileno(), 65536) if ready else b""
            self.log.write(text)
            if (ready and not text) or (not ready and engine.poll() is not None):
                pipe.close()
                return
            self._look()

    def _look(self) -> None:
        """Notice the first time that the engine is healthy, or that it was taken for that, and tell it."""
        if self.report.get("healthy") or time.monotonic() - self.looked < LOOK_S:
            return
        self.looked = time.monotonic()
        self.healthy = self.healthy or answers(**self.config["health"])
        self._tell(healthy=self.healthy)

    def _was_healthy(self) -> bool:
        """Whether it was seen healthy, by this process or by the `deployer up` that waited for it."""
        with contextlib.suppress(OSError, ValueError):
            record = json.loads((self.folder / "deployment.json").read_text())
            self.healthy = self.healthy or record["ready_at"] is not None
        return self.healthy

    def _sleep(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < until:
            time.sleep(0.1)
        return not self.stopping

    def _tell(self, **news: Any) -> None:
        self.report.update(news)
        path = self.folder / "supervisor.json"
        with self.telling, contextlib.suppress(OSError):
            draft = path.with_suffix(".draft")
            draft.write_text(json.dumps(self.report))
            draft.replace(path)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self.stopping = True
        if self.relay is not None:
            self.relay.close()
        signal.setitimer(signal.ITIMER_REAL, self.config["grace_s"])
        if self.engine is not None and self.engine.returncode is None:
            self.engine.terminate()

    def _serve(self, _signal: int, _frame: FrameType | None) -> None:
        """Take the engine for healthy, and answer for it at the port in front."""
        self.healthy = True
        # on a thread of its own: what the signal interrupts may hold the lock
        threading.Thread(target=self._tell, kwargs={"healthy": True}, daemon=True).start()
        front, behind = self.config.get("front"), self.config["health"]
        if front is not None and self.relay is None and not self.stopping:
            self.relay = Relay(behind["host"], front, behind["port"])
            self.relay.start(lambda: self._tell(relaying=True))

    def _kill(self, _signal: int, _frame: FrameType | None) -> None:
        if self.engine is not None and self.engine.returncode is None:
            self.engine.kill()


class Relay:
    """Hands what comes in at one port of this machine to another, in a thread of its own.

    So an engine that takes another one's place answers where that one did. Connections that are open when it is
    closed go on; none is taken any more.
    """

    def __init__(self, host: str, front: int, behind: int) -> None:
        self.host, self.front, self.behind = host, front, behind
        self.loop = asyncio.new_event_loop()
        self.closing = False
        self.listener: asyncio.Server | None = None

    def start(self, listening: Callable[[], object]) -> None:
        """Begin as soon as the port is free, and say so."""
        self.loop.create_task(self._listen(listening))
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self.closing = True
        if self.listener is not None:
            self.loop.call_soon_threadsafe(self.listener.close)

    async def _listen(self, listening: Callable[[], object]) -> None:
        while not self.closing:
            line = socket.socket()
            try:
                for option in (
                    socket.SO_REUSEADDR,
                    socket.SO_REUSEPORT,
                ):  # the one before may still listen
                    line.setsockopt(socket.SOL_SOCKET, option, 1)
                line.bind((self.host, self.front))
                self.listener = await asyncio.start_server(self._hand_on, sock=line)
            except OSError:
                line.close()
                await asyncio.sleep(RETRY_S)
            else:
                listening()
                return

    async def _hand_on(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far, forth = await asyncio.open_connection(self.host, self.behind)
            await asyncio.gather(_copy(near, forth), _copy(far, back))
        back.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end, and pass that on."""
    try:
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.close()


def start(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the engine as a child that dies with this process (on Linux)."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads here
    )


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def answers(host: str, port: int, path: str) -> bool:
    """Whether an HTTP server answers 200 there, asked as simply as can be."""
    try:
        with socket.create_connection((host, port), timeout=1) as line:
            line.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return b" 200 " in line.recv(64)
    except OSError:
        return False


def ended(code: int) -> str:
    """Say how a process ended, from its return code (negative: a signal)."""
    if code >= 0:
        return f"the engine ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"the engine was killed by {signal.Signals(-code).name}"
    return f"the engine was killed by signal {-code}"


def leave_terminal(log: Path) -> None:
    """Go on in the background, in a session of its own, with the log for a terminal."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    talk = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for old, new in ((0, nothing), (1, talk), (2, talk)):
        os.dup2(new, old)


def main() -> None:
    """Supervise the engine of the folder that is named as the only argument."""
    folder = Path(sys.argv[1])
    leave_terminal(folder / "engine.log")
    Supervisor(folder).run()


if __name__ == "__main__":
    main()

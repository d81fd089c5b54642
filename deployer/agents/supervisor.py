"""Keeps one engine running in the background, behind a guard: `python supervisor.py DIR [LISTENER [FRONT]]`.

Standard library only. Reads `DIR/run.json`:

    command        a list; its working directory is DIR
    address        where it listens: the name of a Unix socket in DIR, or host and port, and `keeps_port`: whether
                   that port is kept for this user while it restarts
    health         the path of its health check
    listen         host and port of the guard, and `front`, a port that it takes over later, or null
    key_file       the API key that the guard asks for; `engine_key`, the file of the key that the engine is given,
                   which is made anew at each start, or null
    limits         of the guard (`guard/limits.py`)
    known_lines    regular expressions of what the engine may say to its log once it has been asked something, or null
    environment    added to its own; `secrets`, variables that are read from files
    grace_s        how long it may take to end

LISTENER and FRONT are the numbers of open sockets that listen there already. It leaves the terminal and appends what
the engine says to `DIR/engine.log`. An engine that crashes, or hangs, after it has been healthy once is started again,
after 1 s, then 2 s, up to 60 s, and its callers wait for it; before that, its end is the supervisor's end, so that
whoever starts a deployment hears of it (`DIR/deployment.json` has its word on that). SIGTERM stops the engine, at the
latest by SIGKILL. SIGUSR2 lets what is being answered end, and takes nothing more. SIGUSR1 says that the engine serves
now: from then on it answers at the port in front. `DIR/supervisor.json` says how it is doing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
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
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

GRACE_S = 8.0
"""How long an engine may take to end after SIGTERM."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STEADY_S = 60.0
"""An engine that ran this long starts again after the first pause."""
LOOK_S = 0.5
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Supervisor:
    """Runs the engine until it is told to stop, or until it cannot be started."""

    def __init__(self, folder: Path, config: dict[str, Any], key: str) -> None:
        from deployer.agents.engine_log import Log, Sieve
        from deployer.agents.guard import door, guard, limits

        self.folder, self.config = folder, config
        self.log, self.sieve = Log(folder / "engine.log"), Sieve(config["known_lines"])
        self.stopping = False
        self.engine: subprocess.Popen[bytes] | None = None
        self.report: dict[str, Any] = {"pid": os.getpid(), "restarts": 0, "last_exit": None}
        self.healthy = False
        self.telling = threading.Lock()
        self.die_with_parent = _death_of_parent()
        self.started, self.doors = guard.Engine, door.Door
        self.guard = guard.Guard(
            key,
            config["health"],
            limits.Limits.of(config["limits"]),
            on_well=self._well,
            on_hung=self._hung,
            on_answering=lambda count: self._tell(answering=count),
        )

    def run(self, listener: socket.socket, front: socket.socket | None) -> None:
        """Start the engine, and start it again after each crash."""
        for number, act in (
            (signal.SIGTERM, self._stop),
            (signal.SIGALRM, self._kill),
            (signal.SIGUSR1, self._serve),
            (signal.SIGUSR2, self._drain),
        ):
            signal.signal(number, act)
        self.door = self.doors(self.guard, self.folder, listener, self.config["front"], front)
        self.guard.call(self.door.open)
        self.guard.start()
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
            known = self.started(self._address(), self._new_key())
            self.sieve.closed = False
            command, environment = self.config["command"], self._environment()
            self.engine = start(command, self.folder, environment, self.die_with_parent)
        except OSError as error:
            self.log.say(f"the engine cannot be started: {error}")
            return 127
        self.guard.call(self.guard.engine_started, known)
        self._tell(child_pid=self.engine.pid)
        if self.stopping:  # told while it was being started
            self.engine.terminate()
        self._follow(self.engine)
        code = self.engine.wait()
        self.guard.call(self.guard.engine_ended)
        self._tell(child_pid=None, last_exit=code)
        if self.stopping or not self._was_healthy():
            self.log.say(ended(code))
        return code

    def _address(self) -> Any:
        """Where this start of the engine will listen; what is left there of the last one goes."""
        address = self.config["address"]
        if isinstance(address, str):
            (self.folder / address).unlink(missing_ok=True)
            return address
        return tuple(address)

    def _new_key(self) -> str:
        """Write a key that only this start of the engine knows."""
        if self.config["engine_key"] is None:
            return ""
        key = secrets.token_urlsafe(32)
        file = Path(self.config["engine_key"])
        file.parent.mkdir(mode=0o700, exist_ok=True)
        draft = file.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with draft.open("x") as out:
            out.write(key)
        draft.replace(file)
        return key

    def _environment(self) -> dict[str, str]:
        told = {
            name: Path(file).read_text().strip() for name, file in self.config["secrets"].items()
        }
        return {**os.environ, **self.config["environment"], **told}

    def _follow(self, engine: subprocess.Popen[bytes]) -> None:
        """Copy what the engine says to the log until it ends."""
        pipe: IO[bytes] | None = engine.stdout
        assert pipe is not None  # noqa: S101 - it was started with a pipe
        while True:
            ready, _, _ = select.select([pipe], [], [], LOOK_S)
            text = os.read(pipe.fileno(), 65536) if ready else b""
            self.log.write(self.sieve.sift(text))
            if (ready and not text) or (not ready and engine.poll() is not None):
                pipe.close()
                return

    def _well(self) -> None:
        self.healthy = True
        self.sieve.close()
        self._tell(healthy=True)

    def _hung(self, why: str) -> None:
        """End an engine that hangs; as one that crashed, it is started again."""
        engine = self.engine
        if engine is None or engine.poll() is not None or self.stopping:
            return
        self.log.say(f"the engine hangs: {why}; ending it")
        engine.terminate()
        late = threading.Timer(self.config["grace_s"], engine.kill)
        late.daemon = True
        late.start()

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
        self.guard.call(self.guard.drain)
        signal.setitimer(signal.ITIMER_REAL, self.config["grace_s"])
        if self.engine is not None and self.engine.returncode is None:
            self.engine.terminate()

    def _drain(self, _signal: int, _frame: FrameType | None) -> None:
        self.guard.call(self.guard.drain)

    def _serve(self, _signal: int, _frame: FrameType | None) -> None:
        """Take the engine for healthy, and answer for it at the port in front."""
        self.healthy = True
        # on a thread of its own: what the signal interrupts may hold the lock
        threading.Thread(target=self._tell, kwargs={"healthy": True}, daemon=True).start()
        if self.config["front"] is not None and not self.stopping:
            self.guard.call(self.door.take_over, lambda: self._tell(relaying=True))

    def _kill(self, _signal: int, _frame: FrameType | None) -> None:
        if self.engine is not None and self.engine.returncode is None:
            self.engine.kill()


def start(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    before: Callable[[], None] | None,
) -> subprocess.Popen[bytes]:
    """Start the engine as a child; `before` is called in it first."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=before,  # noqa: PLW1509 - it calls the kernel and nothing else
    )


def _death_of_parent() -> Callable[[], None] | None:
    """Return what makes a child die with this process (on Linux). All of it is loaded before there are threads."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl, number = ctypes.CDLL(None).prctl, int(signal.SIGKILL)
    return lambda: prctl(PR_SET_PDEATHSIG, number)


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


def main(arguments: list[str]) -> None:
    """Supervise the engine of a folder. What it cannot begin with, it says before it leaves the terminal."""
    sys.path.append(str(Path(__file__).parents[2]))
    from deployer.agents.guard.keys import checked
    from deployer.agents.guard.sockets import kept, listening

    folder, numbers = Path(arguments[0]), [int(n) for n in arguments[1:]]
    config = json.loads((folder / "run.json").read_text())
    try:
        key = checked(Path(config["key_file"]).read_text())
        given = [socket.socket(fileno=n) for n in numbers]
        listener = given[0] if given else listening(*config["listen"])
        address = config["address"]
        private = kept(address[1]) if config["keeps_port"] else None
    except (OSError, ValueError) as error:
        sys.exit(f"{error} ({config['key_file']}; port {config['listen'][1]})")
    leave_terminal(folder / "engine.log")
    with (
        private or contextlib.nullcontext()
    ):  # the engine's port stays this user's while it restarts
        Supervisor(folder, config, key).run(listener, given[1] if given[1:] else None)


if __name__ == "__main__":
    main(sys.argv[1:])

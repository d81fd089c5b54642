"""Start, find and stop the processes of a deployment.

They are found by looking, never by a remembered number: the supervisor and all that it starts carry the
deployment's folder in their environment. A recycled process id is therefore never taken for one of them, and
what a killed `deployer up` left behind is found like anything else. The mark alone is no proof, for whoever has it in
the environment hands it on: a process also runs as this user, and is the supervisor, was started by one, or is the
engine that one left behind (`_Proof`).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from deployer.agents import supervisor
from deployer.core.cache import UNREADABLE
from deployer.core.errors import RemoteError
from deployer.core.files import read_own, write_private
from deployer.engines.launch import HOST, SOCKET

MARK = "DEPLOYER_SUPERVISED"
ADOPTERS = ("init", "launchd", "systemd", "tini", "dumb-init", "docker-init", "catatonit")
"""What takes over processes whose parent has ended, where it is not process 1."""
STOP_S = supervisor.GRACE_S + 4
"""How long a supervisor may take to end its engine and itself before everything is killed."""
BEGINS_S = 2.0
"""How long a supervisor may take to say what it is answering; one of an older version never does."""
RUN, REPORT = "run.json", "supervisor.json"
KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")
KEPT_OF_HUB = ("HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT")
"""Where models are downloaded to, and from."""
KEPT_PREFIXES = ("LD_", "DYLD_", "PYTHON", "VIRTUAL_ENV", "OMP_", "GGML_", "CUDA_", "HIP_", "ROCR_")
"""What an engine needs of the environment. The rest, credentials among it, stays outside."""


@dataclass(frozen=True)
class Supervised:
    """An engine and its guard, as `supervisor` is told of them.

    The guard listens on 127.0.0.1 at `port` and asks for the key in `key_file`; the engine listens at `address`: the
    name of a Unix socket in the folder, or host and port, which `keeps_port` keeps for this user while it restarts.
    `engine_key` is the file of the key that it is given. `front`
    is a port that `take_over` makes the guard answer at instead. `environment` is added to what the engine keeps of
    this one's; `secrets` are variables that the engine alone is given, each read from its file when it starts.
    `grace_s` is how long it may take to end when it is told to.
    """

    command: Sequence[str]
    port: int
    key_file: Path
    address: str | tuple[str, int] = SOCKET
    health: str = "/health"
    engine_key: Path | None = None
    keeps_port: bool = False
    front: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    known_lines: Sequence[str] | None = None
    grace_s: float = supervisor.GRACE_S

    def document(self) -> dict[str, Any]:
        """Return what `run.json` holds."""
        return {
            "command": list(self.command),
            "listen": [HOST, self.port],
            "front": self.front,
            "key_file": str(self.key_file),
            "address": self.address,
            "health": self.health,
            "keeps_port": self.keeps_port,
            "engine_key": None if self.engine_key is None else str(self.engine_key),
            "environment": dict(self.environment),
            "secrets": {name: str(file) for name, file in self.secrets.items()},
            "limits": dict(self.limits),
            "known_lines": None if self.known_lines is None else list(self.known_lines),
            "grace_s": self.grace_s,
        }


def start(
    folder: Path,
    wanted: Supervised,
    listeners: Sequence[socket.socket] = (),
    locks: Sequence[int] = (),
) -> None:
    """Start an engine and its guard under a supervisor that outlives this process and its terminal.

    `listeners` are the sockets that listen at its port, and at the one in front, already; `locks` are open files that
    the supervisor keeps open while it lives.

    Raises:
        RemoteError: the supervisor cannot be started.
        PrerequisiteError: the disk is full.
    """
    log = folder / "engine.log"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    write_private(folder / RUN, json.dumps(wanted.document()))
    start_again(folder, listeners, locks)


def start_again(
    folder: Path, listeners: Sequence[socket.socket] = (), locks: Sequence[int] = ()
) -> None:
    """Start the supervisor of what a folder says is to be run.

    Raises:
        RemoteError: it cannot be started.
    """
    (folder / REPORT).unlink(missing_ok=True)  # the one before this had its own
    numbers = [one.fileno() for one in listeners]
    argv = [sys.executable, "-P", supervisor.__file__, str(folder), *map(str, numbers)]
    done = subprocess.run(
        argv,
        env={MARK: str(folder)} | dict(_kept()),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        pass_fds=(*numbers, *locks),
    )
    if done.returncode:
        raise RemoteError(f"the supervisor did not start: {done.stderr.strip()[-500:]}")


def run(program: str, arguments: Sequence[str], **environment: str) -> int:
    """Run a program of this package to its end with what an engine keeps of the environment; return its exit code."""
    argv = [sys.executable, "-P", program, *arguments]
    kept = {**dict(_kept()), **_token(), **environment}
    errors = 2  # what it says is for people, and a document may be on stdout
    done = subprocess.run(argv, env=kept, stdin=subprocess.DEVNULL, stdout=errors, check=False)
    return done.returncode


def _token() -> dict[str, str]:
    """The user's token of the model hub, where it stands in the environment."""
    given = {name: os.environ.get(name) for name in ("HF_TOKEN", "HF_TOKEN_PATH")}
    return {name: value for name, value in given.items() if value}


def find(folder: Path, *, alone: bool = False) -> list[psutil.Process]:
    """Return the processes of a folder that are running now, supervisors first.

    `alone` leaves out those of the folders in it: other runs of the same deployment.
    """
    marked = [p for p in psutil.process_iter() if _marked(p, str(folder), alone=alone)]
    ours = list(filter(_Proof(folder, marked), marked)) if marked else []
    return sorted(ours, key=lambda p: (not is_supervisor(p), p.pid))


class _Proof:
    """Whether a process that carries the mark of a folder was started for it: by its user, executable and parent."""

    def __init__(self, folder: Path, marked: Sequence[psutil.Process]) -> None:
        self.marked = {process.pid: process for process in marked}
        self.engines = _programs(folder)
        self.known: dict[int, bool] = {}

    def __call__(self, process: psutil.Process) -> bool:
        """Say whether it was; what ends meanwhile was not."""
        if process.pid not in self.known:
            self.known[process.pid] = False  # a circle, which no processes make, is no proof
            with suppress(psutil.Error, OSError):
                self.known[process.pid] = self._was_started_for_it(process)
        return self.known[process.pid]

    def _was_started_for_it(self, process: psutil.Process) -> bool:
        if process.uids().real != os.getuid():
            return False
        if is_supervisor(process):
            return True
        parent = self.marked.get(process.ppid())
        if parent is not None and self(parent):
            return True
        left_behind = parent is None and _is_adopted(process)
        return left_behind and _program(process) in self.engines


def _is_adopted(process: psutil.Process) -> bool:
    """Whether the parent that started it has ended: the system, or a service manager of the user, has it now."""
    parent = process.parent()
    return parent is None or parent.pid == 1 or parent.name() in ADOPTERS


def _program(process: psutil.Process) -> str:
    return os.path.realpath(process.exe())


def _programs(folder: Path) -> set[str]:
    """The executables that the runs of a folder are started with; an engine's own helpers are as it is."""
    found = {os.path.realpath(sys.executable)}
    for file in (folder / RUN, *folder.glob(f"*/{RUN}")):
        try:
            named = str(json.loads(read_own(file))["command"][0])
        except UNREADABLE:
            continue
        program = os.path.realpath(shutil.which(named) or named)
        found |= {program, *_interpreter(program)}
    return found


def _interpreter(program: str) -> list[str]:
    """What runs a script, by its first line; nothing for any other program."""
    with suppress(OSError), open(program, "rb") as file:  # noqa: PTH123 - as the system does
        first = file.readline(256)
        if first.startswith(b"#!") and (words := first[2:].split()):
            return [os.path.realpath(os.fsdecode(words[0]))]
    return []


def is_supervisor(process: psutil.Process) -> bool:
    """Whether a process is a supervisor rather than the engine that it runs."""
    try:
        python = os.path.basename(process.exe()).lower().startswith("python")  # noqa: PTH119 - a name
        return python and supervisor.__file__ in process.cmdline()[1:]
    except psutil.Error:
        return False


def take_over(folder: Path) -> None:
    """Tell a supervisor that its engine serves: its guard answers at the port in front from now on."""
    _signal(filter(is_supervisor, find(folder, alone=True)), signal.SIGUSR1)


def settled(folder: Path) -> None:
    """Write down that a run has the port in front, and no other one any more."""
    told = json.loads((folder / RUN).read_text())
    if told["front"] is not None:
        told |= {"listen": [HOST, told["front"]], "front": None}
        write_private(folder / RUN, json.dumps(told))


def drain(
    folder: Path, limit_s: float, say: Callable[[int], object], *, alone: bool = False
) -> int:
    """Let what a folder's engine is answering end, and take nothing more; return how many answers have not ended.

    `say` is told how many there are, unless there are none.
    """
    watchers = [p for p in find(folder, alone=alone) if is_supervisor(p)]
    _signal(watchers, signal.SIGUSR2)
    until, told, left = time.monotonic() + limit_s, False, 0
    begun = time.monotonic() + BEGINS_S
    while any(map(_runs, watchers)) and time.monotonic() < until:
        heard = [report(Path(mark)).get("answering") for mark in _marks(watchers)]
        counts = [one for one in heard if isinstance(one, int)]
        left = sum(counts)
        if (len(counts) == len(watchers) or time.monotonic() > begun) and not left:
            return 0
        if left and not told:
            say(left)
            told = True
        time.sleep(0.02)
    return left if any(map(_runs, watchers)) else 0


def stop(folder: Path, limit_s: float = STOP_S, *, alone: bool = False) -> list[int]:
    """End every process of a folder and return their ids: gently first, by SIGKILL after a while."""
    found = find(folder, alone=alone)
    _signal([p for p in found if is_supervisor(p)] or found, signal.SIGTERM)
    _wait(found, limit_s)
    left = find(folder, alone=alone)
    _signal(left, signal.SIGKILL)
    _wait(left, 5)
    found += left
    return list(dict.fromkeys(p.pid for p in found))


def _marks(processes: Iterable[psutil.Process]) -> Iterator[str]:
    """The folders that processes belong to."""
    for process in processes:
        with suppress(psutil.Error, OSError):
            yield str(process.environ().get(MARK, ""))


def holder(port: int, but: Collection[int] = ()) -> str | None:
    """Say which process listens on a port of this machine, as far as this user may know; `but` are left out."""
    pids = [pid for pid in _listeners(port) if pid is not None and pid not in but]
    with suppress(psutil.Error):
        return f"{psutil.Process(pids[0]).name()}, pid {pids[0]}" if pids else None
    return None


def _listeners(port: int) -> list[int | None]:
    """The ids of the processes that listen on a port; None is one that this user may not know."""
    try:
        lines = psutil.net_connections("tcp4")
    except psutil.Error:
        return []
    heard = (c for c in lines if c.status == psutil.CONN_LISTEN)
    return [c.pid for c in heard if getattr(c.laddr, "port", None) == port]


def report(folder: Path) -> Mapping[str, object]:
    """Read what the supervisor says of itself: `healthy`, `restarts`, `last_exit`; empty if nothing."""
    try:
        said = json.loads(read_own(folder / REPORT))
    except UNREADABLE:
        return {}
    return said if isinstance(said, dict) else {}


def ports(folder: Path) -> list[int]:
    """Return the ports that a run was given, its own and then the one in front of it; none where there is no run."""
    try:
        told = json.loads(read_own(folder / RUN))
        before = told["health"]  # a version without a guard wrote here where the engine listens
        own = told["listen"][1] if "listen" in told else before["port"]
        return [int(one) for one in (own, told.get("front")) if one]
    except UNREADABLE:
        return []


def _marked(process: psutil.Process, folder: str, *, alone: bool) -> bool:
    try:
        mark = str(process.environ().get(MARK, ""))
        ours = mark == folder or (not alone and mark.startswith(f"{folder}/"))
        return ours and process.is_running()
    except (psutil.Error, OSError):
        return False


def _wait(processes: Sequence[psutil.Process], limit_s: float) -> None:
    """Wait until all have ended; one that its parent has not buried yet has ended too."""
    until = time.monotonic() + limit_s
    while any(map(_runs, processes)) and time.monotonic() < until:
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)  # psutil makes sure that it is still the same process


def _kept() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name in (*KEPT, *KEPT_OF_HUB) or name.startswith(KEPT_PREFIXES):
            yield name, value

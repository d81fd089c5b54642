"""Stops the machine that it runs on when nobody uses it. Run once a minute, by a systemd timer.

    python3 -m deployer.agents.watchdog /etc/deployer/watchdog.json

The file says what the engine calls its figures. It asks the engine what ran since the last look, keeps what it saw,
decides (`deployer.agents.idle`) and acts with the machine's own rights (`Cloud`); where there are none, or they are
refused, it shuts the system down, which ends or stops the machine as its launch settings say. It is copied to the
machine, so it needs Python 3.10 and nothing else, and imports only `idle` and the cloud's own module.

Only what the engine itself counts is use: requests that run or wait, and tokens or requests that were finished.
Health checks and requests without the key are not counted. Time is that since boot, which no clock change moves.
What it saw is kept in memory (/run) and on the disk, which may be full.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.request import Request, urlopen

from deployer.agents.idle import LOADING_S, Decision, Observation, Policy, decide

KEPT = (Path("/run/deployer-watchdog/state.json"), Path("/var/lib/deployer/watchdog.json"))
BOOT = Path("/proc/sys/kernel/random/boot_id")
FIRST = Path("/proc/1/stat")
LONGEST_LOOK_S = 20
MOST_BYTES = 8 * 2**20
LINE = re.compile(
    r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)\s*(?P<labels>\{.*\})?\s*(?P<value>\S+)(\s+-?\d+)?"
)
"""A figure in the Prometheus text format: its name, its labels, its value, and perhaps its time in milliseconds."""


@dataclass(frozen=True)
class State:
    """What is kept from look to look."""

    boot: str  # times are of this boot
    address: str  # a reboot keeps it; a machine that was stopped and woken has another
    seen: Observation
    finished: float = 0.0
    looked_at: float = 0.0


@dataclass(frozen=True)
class Sample:
    """What the engine says of itself."""

    running: float
    finished: float


class Cloud(Protocol):
    """What the machine's own cloud does for it: the module that the machine was given."""

    def address(self) -> str:
        """Return the machine's address: a reboot keeps it, a stop and a start need not; empty when unknown."""
        ...

    def publish(self, idle_s: float) -> None:
        """Tell the outside for how long the machine was idle."""
        ...

    def end(self, action: str, *, fleet: bool) -> bool:
        """Stop (or destroy) this machine, or leave the fleet for good; False when that is not done."""
        ...


def main(arguments: Sequence[str]) -> int:
    """Look once, and act; return 0 unless even the shutdown failed."""
    told = json.loads(Path(arguments[0]).read_text())
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    cloud = cloud_of(told)
    state = after(remembered(now, cloud), sample(told), now)
    keep(state)
    policy = Policy(told["idle_after_s"], told["action"], told.get("loading_s", LOADING_S))
    decision = decide(state.seen, policy, now)
    if decision.action == "keep":
        return publish(state, decision, cloud)
    say(f"{decision.action}: {decision.reason}")
    return act(told, decision, cloud)


def cloud_of(told: Mapping[str, Any]) -> Cloud | None:
    """Load the module of the machine's cloud; None where it has none, or one that is broken."""
    try:
        module: Any = importlib.import_module(told["cloud"]) if told.get("cloud") else None
    except Exception as error:  # noqa: BLE001 - whatever it does while it is loaded
        say(f"the cloud's own module cannot be loaded: {error}")
        return None
    cloud: Cloud | None = module
    return cloud


def after(state: State, found: Sample | None, now: float) -> State:
    """Take one look into account."""
    if found is None:
        return replace(state, looked_at=now)
    first = state.seen.seen_at is None
    used = found.running > 0 or (found.finished != state.finished and found.finished > 0)
    seen = Observation(
        started_at=now if first else state.seen.started_at,  # a loaded model starts the wait anew
        used_at=now if used else state.seen.used_at,
        seen_at=now,
        running=found.running,
    )
    return replace(state, seen=seen, finished=found.finished, looked_at=now)


def remembered(now: float, cloud: Cloud | None = None) -> State:
    """Return what was kept. After a reboot the time before it counts; after a stop and a start it does not."""
    boot = this_boot()
    old = next(_kept(), None)
    if old is not None and old.boot == boot:
        return old
    address = _address(cloud)
    new = State(boot, address, Observation(started_at=now))
    if old is None or not address or address != old.address:
        return new
    return replace(old, boot=boot, seen=moved(old.seen, now - old.looked_at), looked_at=now)


def _address(cloud: Cloud | None) -> str:
    try:
        return cloud.address() if cloud else ""
    except Exception as error:  # noqa: BLE001 - an unknown address is the answer of a machine that has none
        say(f"the machine's address cannot be read: {type(error).__name__}")
        return ""


def this_boot() -> str:
    """Return what no other start of this machine has: the kernel's id, and when the first process began."""
    began = FIRST.read_text().rpartition(")")[2].split()[19]
    return f"{BOOT.read_text().strip()} {began}"


def moved(seen: Observation, by: float) -> Observation:
    """Write the times of an earlier boot on the clock of this one."""
    return replace(
        seen,
        started_at=seen.started_at + by,
        used_at=None if seen.used_at is None else seen.used_at + by,
        seen_at=None if seen.seen_at is None else seen.seen_at + by,
    )


def _kept() -> Iterator[State]:
    for file in KEPT:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads(file.read_text())
            yield State(**{**told, "seen": Observation(**told["seen"])})


def keep(state: State) -> None:
    """Keep the state wherever there is room."""
    for file in KEPT:
        half = file.with_suffix(".half")
        try:
            half.write_text(json.dumps(asdict(state)))
            half.replace(file)
        except OSError:  # a full or broken disk must not keep a machine running
            with contextlib.suppress(OSError):
                half.unlink()


def sample(told: Mapping[str, Any]) -> Sample | None:
    """Ask the engine; None when it cannot be asked, or answers nonsense, or too slowly."""
    try:
        with _within(LONGEST_LOOK_S):
            key = Path(told["key_file"]).read_text().strip()
            asked = Request(told["url"] + "/metrics", headers={"Authorization": f"Bearer {key}"})
            with urlopen(asked, timeout=LONGEST_LOOK_S) as answer:
                text = answer.read(MOST_BYTES).decode()
        return read(text, told["metrics"]["running"], told["metrics"]["finished"])
    except Exception as error:  # noqa: BLE001 - no answer, however odd, may keep a machine running
        say(f"the engine's figures cannot be read: {type(error).__name__}")
        return None


def read(text: str, running: Sequence[str], finished: Sequence[str]) -> Sample | None:
    """Read the Prometheus text format: None where none of the engine's gauges is in it.

    `running` are the names of its gauges: requests that run, requests that wait. `finished` are those of its counters,
    which only grow while it runs and begin anew when it is started again. A line may end with its time.

    Raises:
        ValueError: one of them is no finite number, or below 0.
    """
    sums: dict[str, float] = {}
    for line in text.splitlines():
        found = LINE.fullmatch(line.strip())
        if found and found["name"] in (*running, *finished):
            sums[found["name"]] = sums.get(found["name"], 0.0) + float(found["value"])
    for name, value in sums.items():
        if not 0 <= value < math.inf:
            message = f"{name} is {value}"
            raise ValueError(message)
    if not any(name in sums for name in running):
        return None
    return Sample(
        sum(sums.get(name, 0.0) for name in running),
        sum(sums.get(name, 0.0) for name in finished),
    )


@contextlib.contextmanager
def _within(seconds: int) -> Iterator[None]:
    """Give up after some seconds, also on an answer that comes a byte a minute."""

    def late(_signal: int, _frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def publish(state: State, decision: Decision, cloud: Cloud | None) -> int:
    """Tell the outside for how long it was idle; silence means that the engine did not answer."""
    if cloud and state.seen.seen_at == state.looked_at:
        try:
            cloud.publish(decision.idle_s)
        except Exception as error:  # noqa: BLE001 - the next look tries again
            say(f"how long it was idle cannot be published: {type(error).__name__}")
    return 0


def act(told: Mapping[str, Any], decision: Decision, cloud: Cloud | None) -> int:
    """End the machine by its own rights; by shutting down where those do not do it."""
    try:
        if cloud and cloud.end(decision.action, fleet=told["fleet"]):
            return 0
    except Exception as error:  # noqa: BLE001 - nor may anything that its cloud answers
        say(f"its cloud's answer cannot be read: {type(error).__name__}")
    say("its cloud does not do it: shutting down")
    return subprocess.run(["systemctl", "poweroff"], check=False).returncode  # noqa: S607 - systemd's own PATH


def say(text: str) -> None:
    """Say it in the journal and on the console."""
    sys.stdout.write(f"deployer: watchdog: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

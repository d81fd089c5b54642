"""Stops the machine that it runs on when nobody uses it. Run once a minute, by a systemd timer.

    python3 -m deployer.agents.watchdog /etc/deployer/watchdog.json

The file says what the engine calls its figures. It asks the engine what ran since the last look, keeps what it saw, decides (`deployer.agents.idle`) and acts with the
machine's own role; when AWS does not listen, it shuts the system down, which ends or stops the instance as its
launch settings say. It is copied to the machine, so it needs Python 3.10 and nothing else, and imports only `idle`.

Only what the engine itself counts is use: requests that run or wait, and tokens or requests that were finished.
Health checks and requests without the key are not counted. Time is that since boot, which no clock change moves.
What it saw is kept in memory (/run) and on the disk, which may be full.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from deployer.agents.idle import LOADING_S, Decision, Observation, Policy, decide

KEPT = (Path("/run/deployer-watchdog/state.json"), Path("/var/lib/deployer/watchdog.json"))
BOOT = Path("/proc/sys/kernel/random/boot_id")
FIRST = Path("/proc/1/stat")
LONGEST_LOOK_S = 20
LONGEST_CALL_S = 90
MOST_BYTES = 8 * 2**20
PUT = ("cloudwatch", "put-metric-data", "--namespace", "Deployer")


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


def main(arguments: Sequence[str]) -> int:
    """Look once, and act; return 0 unless even the shutdown failed."""
    told = json.loads(Path(arguments[0]).read_text())
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    state = after(remembered(now), sample(told), now)
    keep(state)
    policy = Policy(told["idle_after_s"], told["action"], told.get("loading_s", LOADING_S))
    decision = decide(state.seen, policy, now)
    if decision.action == "keep":
        return publish(state, decision)
    say(f"{decision.action}: {decision.reason}")
    return act(told, decision)


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


def remembered(now: float) -> State:
    """Return what was kept. After a reboot the time before it counts; after a stop and a start it does not."""
    boot = this_boot()
    old = next(_kept(), None)
    if old is not None and old.boot == boot:
        return old
    address = metadata("public-ipv4") or metadata("local-ipv4")
    new = State(boot, address, Observation(started_at=now))
    if old is None or not address or address != old.address:
        return new
    return replace(old, boot=boot, seen=moved(old.seen, now - old.looked_at), looked_at=now)


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
    except (OSError, ValueError):
        return None


def read(text: str, running: Sequence[str], finished: Sequence[str]) -> Sample | None:
    """Read the Prometheus text format: None where none of the engine's gauges is in it.

    `running` are the names of its gauges: requests that run, requests that wait. `finished` are those of its counters,
    which only grow while it runs and begin anew when it is started again.
    """
    sums: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.strip().rpartition(" ")
        if name and not line.startswith("#"):
            bare = name.partition("{")[0].strip()
            sums[bare] = sums.get(bare, 0.0) + float(value)
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


def metadata(path: str) -> str:
    """Ask the machine's metadata service (IMDSv2); empty when it does not know."""
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254")
    base = f"{base.rstrip('/')}/latest"
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    try:
        with urlopen(Request(f"{base}/api/token", method="PUT", headers=life), timeout=5) as answer:
            token = answer.read().decode()
        asked = Request(f"{base}/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token})
        with urlopen(asked, timeout=5) as answer:
            return str(answer.read().decode())
    except (OSError, ValueError):
        return ""


def publish(state: State, decision: Decision) -> int:
    """Tell the outside for how long it was idle; silence means that the engine did not answer."""
    me = metadata("instance-id") if state.seen.seen_at == state.looked_at else ""
    if me:
        figure = f"MetricName=IdleSeconds,Unit=Seconds,Value={decision.idle_s:.0f}"
        where = f"Dimensions=[{{Name=InstanceId,Value={me}}}]"
        aws(*PUT, "--metric-data", f"{figure},{where}")
    return 0


def act(told: Mapping[str, Any], decision: Decision) -> int:
    """End the machine by its role; by shutting down where AWS does not do it."""
    me = metadata("instance-id")
    if me and (_leave_fleet(me) if told["fleet"] else _end(me, decision)):
        return 0
    say("AWS did not do it: shutting down")
    return subprocess.run(["systemctl", "poweroff"], check=False).returncode  # noqa: S607 - systemd's own PATH


def _end(me: str, decision: Decision) -> bool:
    call = "stop-instances" if decision.action == "stop" else "terminate-instances"
    return aws("ec2", call, "--instance-ids", me) is not None


def _leave_fleet(me: str) -> bool:
    """Leave for good: the fleet may shrink to nothing, and gets no machine in place of this one."""
    group = aws(
        *("autoscaling", "describe-auto-scaling-instances", "--instance-ids", me),
        *("--query", "AutoScalingInstances[0].AutoScalingGroupName", "--output", "text"),
    )
    if group is None:
        return False
    name = group.strip()
    aws(
        "autoscaling",
        "update-auto-scaling-group",
        f"--auto-scaling-group-name={name}",
        "--min-size=0",
    )
    ended = aws(
        *("autoscaling", "terminate-instance-in-auto-scaling-group", "--instance-id", me),
        "--should-decrement-desired-capacity",
    )
    return ended is not None


def aws(*arguments: str) -> str | None:
    """Call AWS by its command-line tool, which knows the role; None when it is refused."""
    try:
        done = subprocess.run(
            ["aws", *arguments],  # noqa: S607 - where the image has it
            capture_output=True,
            text=True,
            timeout=LONGEST_CALL_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        say(f"aws {arguments[1]}: {error}")
        return None
    if done.returncode:
        say(f"aws {arguments[1]}: {done.stderr.strip()[:300]}")
        return None
    return done.stdout


def say(text: str) -> None:
    """Say it in the journal and on the console."""
    sys.stdout.write(f"deployer: watchdog: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

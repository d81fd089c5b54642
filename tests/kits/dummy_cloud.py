"""The command line as a process of its own, with a provider to run it on: the dummy cloud of the guide, or this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from tests.kits import guides
from tests.kits.documents import read
from tests.kits.processes import free_port, until

ROOT = Path(__file__).parents[2]
GUIDE = "ADD_A_PROVIDER.md"
MACHINE = ROOT / "tests" / "doubles" / "dummy_machine.py"
NATIVE = """
name: try
model: {{source: {model}, context: 256}}
serve: {{concurrency: 2}}
targets: {{local: {{provider: native, port: {port}}}}}
"""


@dataclass
class World:
    """A provider with a home of its own. `environ` is what the command line is given besides."""

    folder: Path
    target: str
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The deployment's."""
        return f"try-{self.target}"

    @property
    def home(self) -> Path:
        """DEPLOYER_HOME."""
        return self.folder / "home"

    @property
    def spec(self) -> Path:
        """The spec."""
        return self.folder / "deployer.yaml"

    def begin(self, *arguments: str, err: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command; `err` is where its stderr goes to."""
        nobody = {"HOME": str(self.folder), "AWS_EC2_METADATA_DISABLED": "true"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "HF_"))}
        return subprocess.Popen(
            [sys.executable, "-m", "deployer", *arguments],
            env=kept | nobody | {"DEPLOYER_HOME": str(self.home)} | dict(self.environ),
            cwd=ROOT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=err,
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command to its end and return its document, held against its schema."""
        with self.begin(*arguments, "--json") as command:
            out, err = command.communicate(timeout=60)
        assert command.returncode == code, out + err
        return read(arguments[0], out, code)

    def planning(self, command: str, *more: str) -> tuple[str, ...]:
        """Return the words of a command that reads the spec."""
        return (command, "-f", str(self.spec), "--target", self.target, "--offline", *more)

    def plan(self) -> Any:
        """Plan, and return the one plan."""
        return self.json(*self.planning("plan"))["plans"][0]

    def up(self) -> Any:
        """Bring it up, and return its row of `status`."""
        return self.json(*self.planning("up", "--yes"))["deployments"][0]

    def status(self) -> Any:
        """Return its row of `status`."""
        return self.json("status", self.name)["deployments"][0]

    def down(self) -> Any:
        """Take it down."""
        return self.json("down", self.name)

    def clear(self) -> None:
        """Take it down; that a cloud could not be asked is no matter here."""
        with self.begin("down", self.name, "--yes") as command:
            command.communicate(timeout=60)

    def killed_up(self, moment: str) -> None:
        """Kill an `up` as soon as a moment has come."""
        err = self.folder / "stderr"
        with err.open("w") as file:
            command = self.begin(*self.planning("up", "--yes"), err=file)
        until(lambda: command.poll() is not None or self.has_come(moment, err.read_text()))
        command.send_signal(signal.SIGKILL)
        command.communicate()
        assert command.returncode == -signal.SIGKILL, f"it had ended before: {err.read_text()}"

    def killed(self, *arguments: str, after_s: float) -> None:
        """Kill a command so long after its start, if it has not ended by then."""
        with self.begin(*arguments) as command:
            time.sleep(after_s)
            command.kill()
            command.communicate()

    def has_come(self, moment: str, said: str) -> bool:
        """Whether a moment of `up` has come: what was recorded, made or said."""
        recorded = self.home / "deployments" / self.name / "deployment.json"
        return recorded.exists() if moment == "recorded" else moment in said

    @property
    def processes(self) -> list[psutil.Process]:
        """What runs of it."""
        mark = str(self.folder)
        return [p for p in psutil.process_iter() if _has(p, mark)]

    def nothing_runs(self) -> bool:
        """Whether no process of it is left."""
        return not self.processes


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return any(mark in word for word in process.cmdline())
    except psutil.Error:
        return False


@dataclass
class Dummy(World):
    """The dummy cloud, its account and its machines."""

    @property
    def account(self) -> Path:
        """The folder that is the account."""
        return Path(self.environ["DUMMY_CLOUD"])

    def things(self, kind: str) -> list[dict[str, Any]]:
        """What the account has of a kind, whoever's it is."""
        return [
            json.loads(file.read_text()) for file in sorted(self.account.glob(f"{kind}-*.json"))
        ]

    @property
    def ours(self) -> list[dict[str, Any]]:
        """The machines that are not somebody else's."""
        return [one for one in self.things("machine") if "deployer-deployment" in one["tags"]]

    def change(self, identity: str, **more: Any) -> None:
        """Change what the account says of a thing; `tags` are added to those that it has."""
        file = self.account / f"{identity}.json"
        known = json.loads(file.read_text())
        more["tags"] = known["tags"] | more.get("tags", {})
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(known | more))
        draft.replace(file)

    def unused_for(self, seconds: float) -> None:
        """Let every machine of ours have been started, and last asked, so long ago."""
        then = time.time() - seconds
        for one in self.ours:
            self.change(one["id"], started_at=then)
            (self.account / f"{one['id']}.used").unlink(missing_ok=True)

    def idle(self) -> Any:
        """Return the document of `idle`."""
        return self.json("idle")

    def end(self, verb: str, *more: str) -> Any:
        """End what is idle, and return what became of each machine."""
        return self.json("idle", verb, "--yes", *more)["acted"]

    def has_come(self, moment: str, said: str) -> bool:
        """See `World`."""
        if moment in ("disk", "machine"):
            return bool(self.things(moment))
        if moment == "running":
            return any(one["state"] == "running" for one in self.things("machine"))
        return super().has_come(moment, said)


def dummy(folder: Path) -> Dummy:
    """Follow the guide: write its files, and nothing else."""
    account, stacks = folder / "account", folder / "stacks"
    account.mkdir(parents=True)
    guides.written(GUIDE, stacks / "cloud_gpu")
    (stacks / "cloud_gpu" / "deployer.yaml").rename(folder / "deployer.yaml")
    environ = {"DEPLOYER_STACKS": stacks, "DUMMY_CLOUD": account, "DUMMY_MACHINE": MACHINE}
    return Dummy(folder, "cloud-gpu", {name: str(path) for name, path in environ.items()})


def native(folder: Path, model: Path) -> World:
    """This machine without Docker, with the tiny model."""
    made = World(folder, "local")
    made.spec.parent.mkdir(parents=True, exist_ok=True)
    made.spec.write_text(NATIVE.format(model=model, port=free_port()))
    return made

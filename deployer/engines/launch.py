"""How an engine is started without Docker. One small file per engine (`<engine>/native.py`), found by looking.

That file has two pure functions: `launch` says what is to be run for a job (the command, its environment, its
configuration), `installed` says what is there to run. Nothing is started and nothing is written. The API key is in no
command: an engine is told the file that it lies in, or (`secrets`) gets it from the supervisor in its own environment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any, cast

from deployer import engines
from deployer.core.errors import PrerequisiteError
from deployer.core.records import dataclass

HOST = "127.0.0.1"
SOCKET = "engine.sock"
"""The Unix socket that an engine listens on where it can: a file of the folder that it runs in, which is its user's alone."""


@dataclass(frozen=True)
class Machine:
    """What is installed: a command on PATH, a module of this Python, and what a command prints.

    `deployer.sources.installed.here` looks at this machine.
    """

    which: Callable[[str], str | None]
    has_module: Callable[[str], bool]
    said: Callable[[Sequence[str]], str] = lambda _: ""


@dataclass(frozen=True)
class Job:
    """One process to be: the inputs of the provider's resource, a port of its own, and the folder of its files.

    The port is for an engine that cannot listen on a Unix socket. Callers come to neither: a guard stands in front
    (`deployer.agents.guard`), which asks for the deployment's key and gives the engine one that is made anew at each
    start. `keys` is the folder where that one lies; None: the folder of its files.
    """

    wanted: Mapping[str, Any]
    port: int
    folder: Path
    keys: Path | None = None

    @property
    def config_file(self) -> Path:
        """Where `Launch.config` will lie."""
        return self.folder / "engine.json"

    @property
    def key_file(self) -> Path:
        """Where the key lies that the engine is to ask for."""
        return (self.keys or self.folder) / "key"


@dataclass(frozen=True)
class Launch:
    """What is run: `config` is written for it first; `secrets` are variables and the files they come from.

    `requirements` is a file of Python packages that the command's Python must have, in an environment of their own.
    `by_socket` says that it listens on `SOCKET` and not at its port; `shares_port` that it listens at its port with
    SO_REUSEPORT, so that the port can be kept for this user while it restarts. `known_lines` are regular expressions of the lines
    that it may write to its log once it has been asked something, none of which can repeat a request; None: all may be
    kept. `limits` are those of its guard that are not as usual.
    """

    command: tuple[str, ...]
    what: str
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    health_path: str = "/health"
    requirements: Path | None = None
    by_socket: bool = False
    shares_port: bool = False
    known_lines: tuple[str, ...] | None = None
    limits: Mapping[str, float] = field(default_factory=dict)


def launch(job: Job, machine: Machine) -> Launch:
    """Say what is to be run.

    Raises:
        PrerequisiteError: the engine is not installed, or cannot do what is asked.
        UsageError: there is no such model.
    """
    name = str(job.wanted["engine"])
    native = engines.part(name, "native")
    if native is None:
        raise PrerequisiteError(
            f"provider native does not run {name} in this version",
            hint=f"engines that it runs: {', '.join(engines.with_part('native'))}",
            key="serve.engine",
        )
    if job.wanted["replicas"] > 1:
        raise PrerequisiteError(
            "provider native runs one replica on this machine",
            hint="set serve.replicas: 1 and raise serve.concurrency instead",
            key="serve.replicas",
        )
    made = cast(Launch, native.launch(job, machine))
    return replace(made, environment={**_private(job), **made.environment})


def _private(job: Job) -> dict[str, str]:
    """What every engine is told: not to report its use; under local-only to stay offline; which GPUs are its own."""
    wanted, served = job.wanted, engines.engine(str(job.wanted["engine"]))
    told = {**served.silent, **(served.offline if wanted.get("offline") else {})}
    if ids := wanted.get("gpu_ids"):
        shown = ",".join(ids)
        told |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": shown}
        if wanted.get("gpu_vendor") == "amd":
            told = {**told, "ROCR_VISIBLE_DEVICES": shown}
            del told["CUDA_VISIBLE_DEVICES"], told["CUDA_DEVICE_ORDER"]
    return told


def installed(name: str, machine: Machine) -> str:
    """Say what is there to run an engine with, in words.

    Raises:
        PrerequisiteError: nothing is, or it is too old; the hint says how it is installed.
    """
    native = engines.part(name, "native")
    if native is None:
        raise PrerequisiteError(f"{name} runs in a container only")
    return str(native.installed(machine))


def hub_name(source: str, key: str) -> str:
    """Return a source at the model hub as the engines name it: `org/name`, or `org/name@revision`.

    Raises:
        PrerequisiteError: it is somewhere else; `key` is the key of the spec that names it.
    """
    if not source.startswith("hf:"):
        raise PrerequisiteError(
            f"provider native does not read {source} in this version",
            hint=f"copy it to this machine and set {key} to that folder",
            key=key,
        )
    return source.removeprefix("hf:")


def program(file: str, *arguments: str) -> list[str]:
    """Return the command that runs a Python file of this package with this very interpreter."""
    return [sys.executable, "-P", file, *arguments]

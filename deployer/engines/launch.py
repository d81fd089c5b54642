"""How each engine is started without Docker. One small file per engine, found by looking.

A file here says, in a pure function, what is to be run for a job: the command, its environment, its
configuration. Nothing is started and nothing is written here. The API key is in no command: an engine is
told the file that it lies in, or (`secrets`) gets it from the supervisor in its own environment.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from deployer.core.errors import PrerequisiteError

HOST = "127.0.0.1"
ANSWER_S = 60
"""How long a command may take to say what is installed."""


@dataclass(frozen=True)
class Machine:
    """What is installed here: a command on PATH, a module of this Python, and what a command prints."""

    which: Callable[[str], str | None]
    has_module: Callable[[str], bool]
    said: Callable[[Sequence[str]], str] = lambda _: ""

    @classmethod
    def here(cls) -> Machine:
        """Look at PATH and at what this interpreter can import."""
        return cls(shutil.which, lambda name: importlib.util.find_spec(name) is not None, _said)


def _said(command: Sequence[str]) -> str:
    """Return what a command prints; nothing when it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=ANSWER_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclass(frozen=True)
class Job:
    """One process to be: the inputs of the provider's resource, its port, and the deployment's folder."""

    wanted: Mapping[str, Any]
    port: int
    folder: Path

    @property
    def config_file(self) -> Path:
        """Where `Launch.config` will lie."""
        return self.folder / "engine.json"

    @property
    def key_file(self) -> Path:
        """Where the API key lies."""
        return self.folder / "key"


@dataclass(frozen=True)
class Launch:
    """What is run: `config` is written for it first; `secrets` are variables and the files they come from."""

    command: tuple[str, ...]
    what: str
    config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    health_path: str = "/health"


Launcher = Callable[[Job, Machine], Launch]


def engines() -> tuple[str, ...]:
    """Name every engine that can be started so."""
    folders = (file.parent.name for file in Path(__file__).parent.glob("*/native.py"))
    return tuple(sorted(folder.replace("llama_cpp", "llama.cpp") for folder in folders))


def launch(job: Job, machine: Machine) -> Launch:
    """Say what is to be run.

    Raises:
        PrerequisiteError: the engine is not installed, or cannot do what is asked.
        UsageError: there is no such model.
    """
    name = str(job.wanted["engine"])
    if name not in engines():
        raise PrerequisiteError(
            f"provider native does not run {name} in this version",
            hint=f"engines that it runs: {', '.join(engines())}",
        )
    if job.wanted["replicas"] > 1:
        raise PrerequisiteError(
            "provider native runs one replica on this machine",
            hint="set serve.replicas: 1 and raise serve.concurrency instead",
        )
    found = importlib.import_module(f"deployer.engines.{name.replace('.', '_')}.native").launch
    return cast(Launcher, found)(job, machine)


def hub_name(source: str, key: str) -> str:
    """Return a source at the model hub as the engines name it: `org/name`, or `org/name@revision`.

    Raises:
        PrerequisiteError: it is somewhere else; `key` is the key of the spec that names it.
    """
    if not source.startswith("hf:"):
        raise PrerequisiteError(
            f"provider native does not read {source} in this version",
            hint=f"copy it to this machine and set {key} to that folder",
        )
    return source.removeprefix("hf:")


def program(file: str, *arguments: str) -> list[str]:
    """Return the command that runs a Python file of this package with this very interpreter."""
    return [sys.executable, "-P", file, *arguments]

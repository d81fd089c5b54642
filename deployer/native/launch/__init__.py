"""How each engine is started without Docker. One small file per engine, found by looking.

A file here says, in a pure function, what is to be run for a job: the command, its environment, its
configuration. Nothing is started and nothing is written here. The API key is in no command: an engine is
told the file that it lies in, or (`secrets`) gets it from the supervisor in its own environment.

`mlx_lm.server` is not among them: it has no API key, and its makers do not mean to give it one ("put the server behind a
reverse proxy", github.com/ml-explore/mlx-lm/pull/1687, 2026-08-21), so whoever uses the same Mac could ask it. A Mac is
served by llama.cpp.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from deployer.errors import PrerequisiteError

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Machine:
    """What is installed here."""

    which: Callable[[str], str | None]
    has_module: Callable[[str], bool]

    @classmethod
    def here(cls) -> Machine:
        """Look at PATH and at what this interpreter can import."""
        return cls(shutil.which, lambda name: importlib.util.find_spec(name) is not None)


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
    here = Path(__file__).parent.glob("*.py")
    names = (f.stem for f in here if not f.stem.startswith("_"))
    return tuple(sorted(name.replace("llama_cpp", "llama.cpp") for name in names))


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
    found = importlib.import_module(f"{__name__}.{name.replace('.', '_')}").launch
    return cast(Launcher, found)(job, machine)

"""The native provider's `Runner`: an engine in a process on this machine, without Docker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deployer.agents import fetch_weights
from deployer.core.documents.privacy import Finding
from deployer.core.errors import RemoteError
from deployer.core.files import write_private
from deployer.engines.launch import Job, Machine, launch
from deployer.providers.managers import Say
from deployer.running.native import environments, gpu, hub_cache, logs, process
from deployer.running.native.ports import HOST, free_port
from deployer.running.store import Store
from deployer.sources import installed

PROCESS = "local:index:Process"


class NativeRunner:
    """Serves a model with one of `deployer.engines.launch` in the background of this machine."""

    def __init__(self, home: Path, machine: Machine | None = None) -> None:
        self.store = Store(home)
        self.machine = machine or installed.here()

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Say) -> str:
        """Start the engine under its supervisor and return the base URL.

        Raises:
            PrerequisiteError: the engine is not installed, the port is taken, the disk is full.
            UsageError: there is no such model file.
        """
        wanted = next(r for r in resources if r["type"] == PROCESS)["inputs"]
        others = self._ports_of_others(deployment)
        port = free_port(wanted["port"], others)
        folder = self.store.folder(deployment)
        job = Job(wanted, port, folder)
        run = launch(job, self.machine)
        command = run.command
        if run.requirements is not None:
            python = environments.python_for(self.store, deployment, run.requirements, say)
            command = (python, *command[1:])
        self.store.key(deployment)
        self._fetch(wanted, say)
        write_private(job.config_file, json.dumps({**run.config, "port": port}))
        say(f"starting {run.what} on {HOST}:{port}")
        health: Mapping[str, str | int] = {"host": HOST, "port": port, "path": run.health_path}
        process.start(folder, command, health, environment=run.environment, secrets=run.secrets)
        return f"http://{HOST}:{port}/v1"

    def alive(self, deployment: str) -> bool:
        """Whether its supervisor is running, and with it the engine, or the pause before its restart."""
        return any(map(process.is_supervisor, process.find(self.store.folder(deployment))))

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Return its processes that are running now."""
        return [
            _process("supervisor" if process.is_supervisor(p) else "engine", p.pid)
            for p in process.find(self.store.folder(deployment))
        ]

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield the lines of its log."""
        path = self.store.folder(deployment) / "engine.log"
        if follow:
            yield from logs.follow(path, tail, lambda: self.alive(deployment))
        else:
            yield from logs.tail(path, tail)

    def gpu_memory_mib(self, deployment: str) -> int | None:
        """Return the GPU memory that its processes hold, in MiB; None where there is no NVIDIA driver."""
        pids = {p.pid for p in process.find(self.store.folder(deployment))}
        return gpu.memory_of(pids)

    def cached_bytes(self, deployment: str) -> int | None:
        """Return what this machine's cache holds of a model of the hub; None for a model that is a file."""
        record = self.store.load(deployment)
        made = record.planned if record else ()
        source = next((r["inputs"]["source"] for r in made if r["type"] == PROCESS), "")
        if not source.startswith("hf:"):
            return None
        return hub_cache.held(hub_cache.folder(), source.removeprefix("hf:"))

    def evidence(self, deployment: str) -> Iterator[Finding]:
        """Look at its processes, and say what that proves."""
        from deployer.running.native import evidence

        record = self.store.load(deployment)
        made = record.planned if record else ()
        wanted = next((r["inputs"] for r in made if r["type"] == PROCESS), None)
        if wanted is not None:
            yield from evidence.findings(process.find(self.store.folder(deployment)), wanted)

    def way_out(self, deployment: str) -> str | None:  # noqa: ARG002 - it is not cut off
        """Return None: a process without a container is not cut off, so that no way out breaks a promise."""
        return None

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Stop its processes; what is in the middle of an answer has a few seconds to end it."""
        before = {r["id"]: dict(r) for r in self.found(deployment)}
        pids = map(str, process.stop(self.store.folder(deployment)))
        return [before.get(pid, dict(_process("engine", int(pid)))) for pid in pids]

    def _fetch(self, wanted: Mapping[str, Any], say: Say) -> None:
        """Under local-only a model of the hub comes first: the engine that serves it is told to stay offline."""
        named = [wanted["source"], wanted["adapter"]]
        sources = [one.removeprefix("hf:") for one in named if one and one.startswith("hf:")]
        if wanted["offline"] and sources and process.run(fetch_weights.__file__, sources, LOOK="1"):
            say(f"fetching {', '.join(sources)}, before the engine starts offline")
            if process.run(fetch_weights.__file__, sources):
                raise RemoteError(
                    f"{', '.join(sources)} was not fetched: what was said stands above",
                    hint="'deployer up' goes on from what came",
                )

    def _ports_of_others(self, deployment: str) -> set[int]:
        """The ports that other deployments were given, whether they listen yet or not."""
        taken = set()
        for name in self.store.names():
            config = self.store.folder(name) / "engine.json"
            if name != deployment and config.exists() and self.alive(name):
                taken.add(int(json.loads(config.read_text())["port"]))
        return taken


def _process(name: str, pid: int) -> Mapping[str, str]:
    return {"type": PROCESS, "name": name, "id": str(pid)}

"""The native provider's `Runner`: llama.cpp on this machine, without Docker."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deployer.errors import PrerequisiteError, UsageError
from deployer.native import llama_server, logs, process
from deployer.state import Store, write
from deployer.target import Say

HOST = "127.0.0.1"
PROCESS = "local:index:Process"
FIRST_PORT, LAST_PORT = 8080, 8999


class NativeRunner:
    """Serves a GGUF file with llama.cpp in the background of this machine."""

    def __init__(self, home: Path) -> None:
        self.store = Store(home)

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Say) -> str:
        """Start the engine under its supervisor and return the base URL.

        Raises:
            PrerequisiteError: the engine is not installed, the port is taken, the disk is full.
            UsageError: there is no such model file.
        """
        wanted = next(r for r in resources if r["type"] == PROCESS)["inputs"]
        _servable(wanted)
        model = gguf_file(Path(wanted["model"]))
        port = free_port(wanted["port"], self._ports_of_others(deployment))
        folder = self.store.folder(deployment)
        self.store.key(deployment)
        config = folder / "engine.json"
        write(config, json.dumps(_config(wanted, model, port, folder)))
        say(f"starting llama.cpp on {HOST}:{port} with {model.name}")
        command = process.program(llama_server.__file__, str(config))
        process.start(folder, command, {"host": HOST, "port": port, "path": "/health"})
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

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Stop its processes; what is in the middle of an answer has a few seconds to end it."""
        before = {r["id"]: dict(r) for r in self.found(deployment)}
        pids = map(str, process.stop(self.store.folder(deployment)))
        return [before.get(pid, dict(_process("engine", int(pid)))) for pid in pids]

    def _ports_of_others(self, deployment: str) -> set[int]:
        """The ports that other deployments were given, whether they listen yet or not."""
        taken = set()
        for name in self.store.names():
            config = self.store.folder(name) / "engine.json"
            if name != deployment and config.exists() and self.alive(name):
                taken.add(int(json.loads(config.read_text())["port"]))
        return taken


def gguf_file(path: Path) -> Path:
    """Return the GGUF file that a path means: itself, or the only one (or the first part) in a folder.

    Raises:
        UsageError: there is none, or there are several.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise UsageError(f"there is no model file {path}", hint="correct model.source in the spec")
    files = sorted(path.glob("*.gguf"))
    parts = [f for f in files if "-00001-of-" in f.name]
    choice = parts or files
    if len(choice) != 1:
        have = ", ".join(f.name for f in choice) or "none"
        raise UsageError(
            f"one GGUF file is expected in {path}; there is: {have}",
            hint="name the file itself as model.source",
        )
    return choice[0]


def free_port(wanted: int | str, others: set[int]) -> int:
    """Return the port to listen on: the wanted one, or for "auto" the first free one from 8080 up.

    Raises:
        PrerequisiteError: it is taken.
    """
    if wanted == "auto":
        for port in range(FIRST_PORT, LAST_PORT + 1):
            if port not in others and _is_free(port):
                return port
        raise PrerequisiteError(
            f"no port from {FIRST_PORT} to {LAST_PORT} is free", hint="set targets.local.port"
        )
    port = int(wanted)
    if port in others or not _is_free(port):
        by = process.holder(port)
        raise PrerequisiteError(
            f"port {port} is taken" + (f" by {by}" if by else ""),
            hint="stop what listens there, or set targets.local.port to another or to auto",
            where=f"{HOST}:{port}",
        )
    return port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((HOST, port))
            line.listen(1)
        except OSError:
            return False
    return True


def _servable(wanted: Mapping[str, Any]) -> None:
    if wanted["engine"] != "llama.cpp":
        raise PrerequisiteError(
            f"provider native runs llama.cpp (GGUF files) in this version, not {wanted['engine']}",
            hint="give a GGUF file as model.source, and serve.engine: llama.cpp",
        )
    if wanted["adapter"]:
        raise PrerequisiteError(
            "provider native does not load adapters in this version",
            hint="merge the adapter into the model and give the merged GGUF file as model.source",
        )
    if wanted["replicas"] > 1:
        raise PrerequisiteError(
            "provider native runs one replica on this machine",
            hint="set serve.replicas: 1 and raise serve.concurrency instead",
        )
    if wanted["model"] is None:
        raise PrerequisiteError(
            f"provider native serves files on this machine, and {wanted['source']} is not one",
            hint="download its GGUF file and set model.source to that file",
        )
    if importlib.util.find_spec("xllamacpp") is None:
        raise PrerequisiteError(
            "llama.cpp is not installed", hint="pip install 'deployer[llama-cpp]'"
        )


def _config(
    wanted: Mapping[str, Any], model: Path, port: int, folder: Path
) -> Mapping[str, str | int]:
    return {
        "model": str(model),
        "alias": wanted["model_name"],
        "port": port,
        "context": wanted["context"],
        "concurrency": wanted["concurrency"],
        "key_file": str(folder / "key"),
    }


def _process(name: str, pid: int) -> Mapping[str, str]:
    return {"type": PROCESS, "name": name, "id": str(pid)}

"""The native provider's `Runner`: an engine in a process on this machine, without Docker."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deployer.agents import fetch_weights
from deployer.agents.guard import handover
from deployer.agents.guard.sockets import kept
from deployer.core.documents.privacy import Finding
from deployer.core.errors import PrerequisiteError, RemoteError
from deployer.core.files import write_private
from deployer.engines.launch import SOCKET, Job, Machine, launch
from deployer.providers.managers import Say
from deployer.running.native import environments, gpu, hub_cache, listener, logs, process, room
from deployer.running.native.ports import HOST, Reservation, reserved
from deployer.running.native.slots import Coming, Slots
from deployer.running.store import Store
from deployer.sources import installed

PROCESS = "local:index:Process"
INNER = "inner"
"""The folder of the key that the guard gives the engine."""
DRAIN_S = 60.0
"""How long the answers of a run may go on when another one has taken its place."""
TAKES_OVER_S = 10.0
"""How long a port may stay taken after the engine that had it has ended."""


class NativeRunner:
    """Serves a model with one of `deployer.engines.launch` in the background of this machine."""

    def __init__(self, home: Path, machine: Machine | None = None) -> None:
        self.store = Store(home)
        self.machine = machine or installed.here()

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Say) -> str:
        """Start the engine under its supervisor and return the base URL.

        One that serves goes on beside it until `settle`, or is stopped and kept where two have no room.

        Raises:
            PrerequisiteError: the engine is not installed, the port is taken, the disk is full.
            UsageError: there is no such model file.
        """
        wanted = next(r for r in resources if r["type"] == PROCESS)["inputs"]
        slots = self._slots(deployment)
        self._drop_coming(slots)
        if not self._serves(slots.current):
            return self._begin(deployment, wanted, say)
        had = self._public_port(slots)
        takes_over = wanted["port"] in ("auto", had)
        others = self._ports_of_others(deployment)
        with handover.asked(slots.current) as front:
            if room.for_two(process.find(slots.current, alone=True), resources):
                port = "auto" if takes_over else wanted["port"]
                with reserved(port, others | {had}, listens=True) as held:
                    place = slots.free()
                    in_front = had if takes_over else None
                    slots.announce(Coming(place.name, held.port, in_front, kept=True))
                    return self._run(deployment, wanted, place, held, say, (in_front, front))
            launch(Job(wanted, had, slots.folder), self.machine)  # what cannot start ends nothing
            say("there is no room for two at once: stopping the running engine, which is kept")
            try:
                with self._in_place(deployment, wanted, slots, front, say) as held:
                    place = slots.free()
                    slots.announce(Coming(place.name, held.port, None, kept=False))
                    return self._run(deployment, wanted, place, held, say)
            except BaseException:
                if slots.coming is None:
                    process.start_again(slots.current, () if front is None else (front,))
                raise

    @contextmanager
    def _in_place(
        self,
        deployment: str,
        wanted: Mapping[str, Any],
        slots: Slots,
        front: socket.socket | None,
        say: Say,
    ) -> Iterator[Reservation]:
        """Stop the run that serves, and hold the port for what comes: its own, never given up, or another one."""
        had = self._public_port(slots)
        takes_over = wanted["port"] in ("auto", had)
        process.drain(slots.current, DRAIN_S, _waiting(DRAIN_S, say), alone=True)
        process.stop(slots.current, alone=True)
        if takes_over and front is not None:
            yield Reservation(had, None, front)
            return
        port = had if takes_over else wanted["port"]
        with reserved(port, self._ports_of_others(deployment), listens=True) as held:
            yield held

    def _begin(self, deployment: str, wanted: Mapping[str, Any], say: Say) -> str:
        """Start it where nothing serves; what is left of an older one goes."""
        slots = self._slots(deployment)
        process.stop(slots.folder)
        slots.clear()
        others = self._ports_of_others(deployment)
        with reserved(wanted["port"], others, listens=True) as held:
            return self._run(deployment, wanted, slots.folder, held, say)

    def _run(
        self,
        deployment: str,
        wanted: Mapping[str, Any],
        place: Path,
        held: Reservation,
        say: Say,
        in_front: tuple[int | None, socket.socket | None] = (None, None),
    ) -> str:
        front, given = in_front
        with kept(0) as private:
            job = Job(wanted, private.getsockname()[1], place, place / INNER)
            run = launch(job, self.machine)
            command = run.command
            if run.requirements is not None:
                python = environments.python_for(self.store, deployment, run.requirements, say)
                command = (python, *command[1:])
            self.store.key(deployment)
            self._fetch(wanted, say)
            write_private(job.config_file, json.dumps(run.config))
            say(f"starting {run.what} on {HOST}:{held.port}")
            supervised = process.Supervised(
                command,
                held.port,
                self.store.key_file(deployment),
                address=SOCKET if run.by_socket else (HOST, job.port),
                keeps_port=run.shares_port,
                health=run.health_path,
                engine_key=job.key_file,
                front=front,
                environment=run.environment,
                secrets=run.secrets,
                limits={"places": wanted["concurrency"], **run.limits},
                known_lines=run.known_lines,
            )
            there = [one for one in (held.listener, given if front else None) if one is not None]
            process.start(place, supervised, there, held.locks)
        return _url(held.port)

    def check_own(self, deployment: str) -> None:
        """See that its own guard listens at its port: it proves that it holds the API key, and is not sent it.

        Raises:
            PrerequisiteError: somebody else listens there.
            RemoteError: nobody does.
        """
        slots = self._slots(deployment)
        ports = process.ports(slots.newest)
        if not ports or listener.proves(HOST, ports[0], self.store.key(deployment)):
            return
        hint = f"'deployer status {deployment}' shows how it is; 'deployer up' starts it again"
        where = f"{HOST}:{ports[0]}"
        if not listener.is_taken(HOST, ports[0]):
            raise RemoteError(f"{deployment} does not run: nothing listens", hint=hint, where=where)
        by = process.holder(ports[0], [p.pid for p in process.find(slots.folder)])
        raise PrerequisiteError(
            f"port {ports[0]} is not listened on by {deployment}"
            + (f" but by {by}" if by else "")
            + ": neither its API key nor a prompt is sent there",
            hint=hint,
            where=where,
        )

    def drain(self, deployment: str, limit_s: float, say: Say) -> int:
        """Let what it is answering end, and take nothing more; return how many answers have not ended."""
        return process.drain(self.store.folder(deployment), limit_s, _waiting(limit_s, say))

    def settle(self, deployment: str) -> str | None:
        """Let the new one answer where the one before did, which is stopped; return the address.

        Raises:
            RemoteError: the port of the one before was taken by something else meanwhile.
        """
        slots = self._slots(deployment)
        coming = slots.coming
        process.take_over(slots.newest)
        if coming is None:
            return None
        before = slots.current
        if coming.kept:
            process.drain(before, DRAIN_S, lambda _: None, alone=True)
            process.stop(before, alone=True)
        if coming.front is not None:
            _await_relay(slots.newest, coming.front)
            process.settled(slots.newest)
        slots.promote()
        return _url(coming.front or coming.port)

    def put_back(self, deployment: str) -> bool:
        """Stop the new one; start the one before where that was stopped for it."""
        slots = self._slots(deployment)
        coming = slots.coming
        if coming is None:
            return False
        same = coming.port == self._public_port(slots)  # it took the port over
        with handover.asked(slots.newest) as given:
            self._drop_coming(slots)
            if not self._serves(slots.current):
                process.start_again(slots.current, (given,) if same and given else ())
        return True

    def _drop_coming(self, slots: Slots) -> None:
        """Stop a run that has not taken its place."""
        coming = slots.coming
        if coming is not None:
            process.stop(slots.folder / coming.slot)
            slots.withdraw()

    def _serves(self, place: Path) -> bool:
        """Whether a run is there that has been healthy."""
        healthy = process.report(place).get("healthy") is True
        return healthy and any(map(process.is_supervisor, process.find(place, alone=True)))

    def _slots(self, deployment: str) -> Slots:
        return Slots(self.store.folder(deployment))

    def _public_port(self, slots: Slots) -> int:
        """The port that the run which serves is asked at."""
        told = process.ports(slots.current)
        return told[-1]

    def alive(self, deployment: str) -> bool:
        """Whether its supervisor is running, and with it the engine, or the pause before its restart."""
        newest = self._slots(deployment).newest
        return any(map(process.is_supervisor, process.find(newest, alone=True)))

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Return its processes that are running now."""
        return [
            _process("supervisor" if process.is_supervisor(p) else "engine", p.pid)
            for p in process.find(self.store.folder(deployment))
        ]

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield the lines of its log."""
        path = self._slots(deployment).newest / "engine.log"
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
            if name != deployment and process.find(self.store.folder(name)):
                for place in self._slots(name).every():
                    taken.update(process.ports(place))
        return taken


def _waiting(limit_s: float, say: Say) -> Callable[[int], None]:
    """Return what says that answers are waited for."""

    def told(count: int) -> None:
        answers = "1 answer" if count == 1 else f"{count} answers"
        say(f"waiting up to {limit_s:.0f} s for {answers} to end")

    return told


def _await_relay(place: Path, port: int) -> None:
    until = time.monotonic() + TAKES_OVER_S
    while process.report(place).get("relaying") is not True:
        if time.monotonic() > until:
            raise RemoteError(
                f"port {port} could not be taken over", hint="run 'deployer up' again"
            )
        time.sleep(0.01)


def _url(port: int) -> str:
    return f"http://{HOST}:{port}/v1"


def _process(name: str, pid: int) -> Mapping[str, str]:
    return {"type": PROCESS, "name": name, "id": str(pid)}

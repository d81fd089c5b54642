"""What is remembered of deployments: one folder each, under `<home>/deployments/<name>/`.

    deployment.json   the record: what was asked for, where it answers, since when
    key               the API key, readable by its owner alone, nowhere else in the state

Everything a provider writes (configuration, log) lies in the same folder. Every write is atomic.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deployer.errors import DeployerError, PrerequisiteError, StaleError, UsageError
from deployer.home import make_folder
from deployer.measurements import Served
from deployer.words import Plan

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?")
RECORD = "deployment.json"
KEY = "key"
AUTHORITY = "ca.pem"
"""The certificate authority of the deployment, for those who connect to it."""


@dataclass(frozen=True)
class Deployment:
    """A spec applied to a target. Times are ISO 8601 in UTC; money is text, so that it stays exact.

    `endpoint` is None until there is one, `ready_at` until it has answered; `usd_per_hour` None is
    unpriced, as is `usd_per_hour_idle`, what it costs while it rests. `launched` has the machines that it ever
    had, by id or group, and what each adds to that in an hour that it runs. `resources` is what exists, `planned` what the plan asked for. `served` says what measurements
    of it are of: model, quantization, engine, hardware, and the load that its spec asks of it.
    """

    name: str
    spec_name: str
    spec_digest: str
    target: str
    provider: str
    engine: str
    model: str
    started_at: str
    planned: list[Mapping[str, Any]]
    endpoint: str | None = None
    ready_at: str | None = None
    usd_per_hour: str | None = None
    usd_per_hour_idle: str | None = None
    launched: Mapping[str, str | None] = field(default_factory=dict)
    expires_at: str | None = None
    resources: tuple[Mapping[str, str], ...] = ()
    region: str | None = None
    state: str | None = None  # where an engine keeps its state, if the spec says so
    outputs: Mapping[str, str] = field(default_factory=dict)  # what the stack's program exports
    served: Mapping[str, Any] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """How it is asked: "chat" as every engine is, or "predict" of a handler of one's own."""
        handlers = (one["inputs"].get("handler") for one in self.planned)
        return next((str(h["route"]) for h in handlers if h), "chat")


def planned(plan: Plan) -> list[Mapping[str, Any]]:
    """A plan's resources as plain data, as the record keeps them; what it removes is none."""
    kept = (asdict(r) for r in plan.resources if r.action != "delete")
    plain = [{k: v for k, v in r.items() if k != "action"} for r in kept]
    read_back: list[Mapping[str, Any]] = json.loads(json.dumps(plain))
    return read_back


def new_record(plan: Plan, started_at: str) -> Deployment:
    """The record of a plan that is about to be applied."""
    hourly = plan.cost.hourly_usd if plan.cost else None
    resting = plan.cost.idle_hourly_usd if plan.cost else None
    return Deployment(
        name=plan.deployment,
        spec_name=plan.spec_name,
        spec_digest=plan.spec_digest,
        target=plan.target,
        provider=plan.provider,
        engine=plan.sizing.engine if plan.sizing else "unknown",
        model=plan.spec_name,
        started_at=started_at,
        planned=planned(plan),
        usd_per_hour=None if hourly is None else str(hourly),
        usd_per_hour_idle=None if resting is None else str(resting),
        region=plan.offer.region if plan.offer else None,
        state=plan.options.get("state"),
        served=_served(plan),
    )


def _served(plan: Plan) -> dict[str, Any]:
    """What measurements of it will be of, and the load that is asked of it."""
    if plan.sizing is None or plan.offer is None:
        return {}
    sizing = plan.sizing
    return asdict(Served.by(plan.model, sizing, plan.offer)) | {
        "context": sizing.context,
        "concurrency": sizing.concurrency,
        "input_tokens": sizing.input_tokens,
        "output_tokens": sizing.output_tokens,
    }


class Store:
    """The deployments under one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()

    def folder(self, name: str) -> Path:
        """Return where a deployment's files lie, whether it exists or not.

        Raises:
            UsageError: the name could lead out of the folder.
        """
        if not NAME.fullmatch(name):
            raise UsageError(
                f"'{name}' is not a deployment's name",
                hint="a name is made of a-z, 0-9 and '-', as 'deployer status' lists it",
            )
        return self.home / "deployments" / name

    def names(self) -> list[str]:
        """Name every deployment there is a record of."""
        found = (self.home / "deployments").glob(f"*/{RECORD}")
        return sorted(f.parent.name for f in found if NAME.fullmatch(f.parent.name))

    def load(self, name: str) -> Deployment | None:
        """Read a record, or None when there is none.

        Raises:
            DeployerError: the file is damaged.
        """
        path = self.folder(name) / RECORD
        try:
            plain = json.loads(path.read_text())
            return Deployment(**{**plain, "resources": tuple(plain["resources"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise DeployerError(
                f"the record of {name} is damaged",
                hint=f"'deployer down {name}' removes what it stands for",
                where=str(path),
            ) from error

    def get(self, name: str) -> Deployment:
        """Read a record that must be there.

        Raises:
            UsageError: there is none.
        """
        record = self.load(name)
        if record is None:
            have = ", ".join(self.names()) or "none"
            raise UsageError(f"there is no deployment '{name}'", hint=f"deployments: {have}")
        return record

    def save(self, record: Deployment) -> None:
        """Write a record; the old one stays until the new one is whole.

        Raises:
            PrerequisiteError: the disk is full or may not be written to.
        """
        write(self.folder(record.name) / RECORD, json.dumps(asdict(record), indent=2))

    def key(self, name: str) -> str:
        """Return the deployment's API key, made on first use.

        Raises:
            PrerequisiteError: the disk is full or may not be written to.
        """
        path = self.folder(name) / KEY
        if not path.exists():
            write(path, f"dk-{secrets.token_urlsafe(32)}")
        return path.read_text()

    def forget(self, name: str, *, keep_logs: bool = False) -> None:
        """Remove a deployment's folder, or all of it but its logs."""
        folder = self.folder(name)
        if not keep_logs:
            shutil.rmtree(folder, ignore_errors=True)
            return
        for file in folder.glob("*"):
            if file.is_dir():
                shutil.rmtree(file, ignore_errors=True)
            elif ".log" not in file.suffixes:
                file.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep every other deployer away from a deployment. It ends with the process that holds it.

        Raises:
            StaleError: another process holds it.
        """
        import fcntl

        self.folder(name)
        path = make_folder(self.home / "locks") / name
        with _opened(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(file, 20, 0).decode() or "unknown"
                raise StaleError(
                    f"another deployer is working on {name} (pid {holder})",
                    hint="wait for it to end, then run the command again",
                    where=str(path),
                ) from error
            with suppress(
                OSError
            ):  # who holds it is for others to read; a full disk must not bar 'down'
                os.ftruncate(file, 0)
                os.pwrite(file, str(os.getpid()).encode(), 0)
            yield


def write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        PrerequisiteError: the disk is full or may not be written to.
    """
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _disk(path):
            with os.fdopen(_create(draft), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    with _disk(path):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write {path}: {error.strerror}",
            hint="free some disk space, or set DEPLOYER_HOME to a folder that can be written to",
            where=str(path),
        ) from error

"""What is remembered of deployments: one folder each, under `<home>/deployments/<name>/`.

    deployment.json   the record: what was asked for, where it answers, since when
    key               the API key, readable by its owner alone, nowhere else in the state

Everything a provider writes (configuration, log) lies in the same folder. Every write is atomic.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.errors import DeployerError, StaleError, UsageError
from deployer.core.files import write_private, writing
from deployer.core.home import make_folder

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?")
RECORD = "deployment.json"
KEY = "key"
AUTHORITY = "ca.pem"
"""The certificate authority of the deployment, for those who connect to it."""


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
                f"'{name}' is not a valid deployment name",
                hint="a name has only a-z, 0-9 and '-': see 'deployer status'",
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
                hint=f"'deployer down {name}' removes the deployment",
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
            raise UsageError(f"no deployment named '{name}'", hint=f"deployments: {have}")
        return record

    def save(self, record: Deployment) -> None:
        """Write a record; the old one stays until the new one is whole.

        Raises:
            PrerequisiteError: the disk is full or may not be written to.
        """
        write_private(self.folder(record.name) / RECORD, json.dumps(asdict(record), indent=2))

    def key(self, name: str) -> str:
        """Return the deployment's API key, made on first use.

        Raises:
            PrerequisiteError: the disk is full or may not be written to.
        """
        path = self.folder(name) / KEY
        if not path.exists():
            import secrets  # late: hashing costs a plan 8 ms

            write_private(path, f"dk-{secrets.token_urlsafe(32)}")
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


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    with writing(path):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield file
    finally:
        os.close(file)

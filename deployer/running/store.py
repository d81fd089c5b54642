"""What is remembered of deployments: one folder each, under `<home>/deployments/<name>/`.

    deployment.json   the record: what was asked for, where it answers, since when
    previous.json     the record of what runs until its successor has proved itself
    key               the API key, readable by its owner alone, nowhere else in the state

Everything a provider writes (configuration, log) lies in the same folder. Every write is atomic.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from deployer.agents.guard import keys
from deployer.core.deployment import Deployment
from deployer.core.errors import (
    DeployerError,
    PrerequisiteError,
    StaleError,
    UsageError,
    quoted,
)
from deployer.core.files import (
    NotOursError,
    check_own,
    read_own,
    reading,
    remove_own,
    write_private,
    writing,
)
from deployer.core.home import make_folder

LONGEST_NAME = 100
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?")
RECORD, PREVIOUS = "deployment.json", "previous.json"
KEY = "key"
AUTHORITY = "ca.pem"
"""The certificate authority of the deployment, for those who connect to it."""


class DamagedError(DeployerError):
    """A record that cannot be understood."""


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
                f"{quoted(name)} is not a valid deployment name",
                hint=f"a name has only a-z, 0-9 and '-', and at most {LONGEST_NAME}: see 'deployer status'",
            )
        folder = self.home / "deployments" / name
        if folder.is_symlink():
            raise NotOursError(
                f"{folder} is a link, where a folder of deployer's should be",
                hint=f"move it away: mv {shlex.quote(str(folder))} {shlex.quote(f'{folder}.aside')}",
                where=str(folder),
            )
        return folder

    def names(self) -> list[str]:
        """Name every deployment there is a record of, readable or not.

        Raises:
            PrerequisiteError: the folder of deployments may not be read.
        """
        folder = self.home / "deployments"
        with reading(folder):
            found = [one.name for one in folder.iterdir()] if folder.exists() else []
        return sorted(n for n in found if NAME.fullmatch(n) and self._has_record(n))

    def _has_record(self, name: str) -> bool:
        """Whether there is a record, or a folder into which this user may not look."""
        try:
            (self.home / "deployments" / name / RECORD).lstat()
        except PermissionError:
            return True
        except OSError:
            return False
        return True

    def is_known(self, name: str) -> bool:
        """Whether a deployment of that name was ever worked on under this home, even if it is gone."""
        return self.folder(name).exists() or (self.home / "locks" / name).exists()

    def is_gone(self, name: str) -> bool:
        """Whether the last that was done with a deployment was to remove all of it."""
        return self._gone(name).exists() and not self.folder(name).exists()

    def mark_gone(self, name: str) -> None:
        """Remember that nothing is left of a deployment, until it is made again.

        Raises:
            PrerequisiteError: the disk is full or may not be written to.
        """
        write_private(self._gone(name), "")

    def _gone(self, name: str) -> Path:
        return self.home / "locks" / f"{name}.gone"

    def nearest(self, name: str) -> str | None:
        """Return the name that was probably meant by one that no deployment has."""
        import difflib

        return next(iter(difflib.get_close_matches(name, self.names(), n=1)), None)

    def unknown(self, name: str) -> UsageError:
        """Return the error of a name that no deployment has: with the nearest, or with all that there are."""
        near = self.nearest(name)
        names = self.names()
        have = f"deployments: {', '.join(names)}" if names else "nothing is deployed from here"
        hint = f"did you mean '{near}'? {have}" if near else have
        return UsageError(f"no deployment named '{name}'", hint=hint)

    def load(self, name: str) -> Deployment | None:
        """Read a record, or None when there is none.

        Raises:
            DamagedError: the file is damaged.
            PrerequisiteError: it may not be read.
        """
        path = self.folder(name) / RECORD
        try:
            with reading(path):
                return Deployment.of(json.loads(read_own(path)), name)
        except FileNotFoundError:
            return None
        except (NotOursError, ValueError, ArithmeticError, RecursionError) as error:
            raise DamagedError(
                f"the record of {name} is damaged: {type(error).__name__}: {quoted(str(error))}",
                hint=f"'deployer down {name}' removes the deployment, or 'deployer up' writes it again",
                where=str(path),
            ) from error

    def get(self, name: str) -> Deployment:
        """Read a record that must be there.

        Raises:
            UsageError: there is none.
        """
        record = self.load(name)
        if record is None:
            raise self.unknown(name)
        return record

    def save(self, record: Deployment) -> None:
        """Write a record; the old one stays until the new one is whole.

        Raises:
            PrerequisiteError: the disk is full or may not be written to.
        """
        write_private(self.folder(record.name) / RECORD, json.dumps(asdict(record), indent=2))
        self._gone(record.name).unlink(missing_ok=True)

    def key(self, name: str) -> str:
        """Return the deployment's API key, made on first use.

        Raises:
            PrerequisiteError: the disk is full or may not be written to, or the key is one that could be guessed.
        """
        path = self.key_file(name)
        try:
            return self._kept_key(path)
        except FileNotFoundError:
            import secrets  # late: hashing costs a plan 8 ms

            write_private(path, f"dk-{secrets.token_urlsafe(32)}")
            return self._kept_key(path)

    @staticmethod
    def _kept_key(path: Path) -> str:
        try:
            with reading(path):
                return keys.checked(read_own(path))
        except ValueError as error:
            why = "it is not text" if isinstance(error, UnicodeDecodeError) else str(error)
            raise PrerequisiteError(
                f"the API key in {path} cannot be used: {why}",
                hint=f"remove it (rm {shlex.quote(str(path))}), then run 'deployer up' again",
                where=str(path),
            ) from error

    def key_file(self, name: str) -> Path:
        """Return where a deployment's API key lies, whether it is there or not."""
        return self.folder(name) / KEY

    def set_aside(self, name: str) -> None:
        """Keep a record as it is until what takes its place has proved itself; one that is kept already stays.

        Raises:
            PrerequisiteError: the disk is full or may not be written to.
        """
        record, kept = (self.folder(name) / file for file in (RECORD, PREVIOUS))
        if record.exists() and not kept.exists():
            check_own(record)
            with writing(kept):
                shutil.copyfile(record, kept, follow_symlinks=False)

    def restore(self, name: str) -> bool:
        """Put the record that was set aside in its place again; False when there is none."""
        record, kept = (self.folder(name) / file for file in (RECORD, PREVIOUS))
        if not kept.exists():
            return False
        with writing(record):
            kept.replace(record)
        return True

    def settle(self, name: str) -> None:
        """Forget the record that was set aside."""
        (self.folder(name) / PREVIOUS).unlink(missing_ok=True)

    def forget(self, name: str, *, keep_logs: bool = False) -> None:
        """Remove a deployment's folder, or all of it but its logs.

        Raises:
            PrerequisiteError: this user may not remove it.
        """
        folder = self.folder(name)
        if not keep_logs:
            if folder.exists():
                with writing(folder):
                    remove_own(folder)
            return
        for file in folder.glob("*"):
            if file.is_symlink() or ".log" not in file.suffixes:
                with suppress(OSError):
                    remove_own(file)
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
                holder = os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
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
    check_own(path)
    with writing(path):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
    try:
        yield file
    finally:
        os.close(file)

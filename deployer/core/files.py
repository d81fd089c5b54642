"""Files are written here: whole or not at all, and readable to those who need them alone."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import BinaryIO

from deployer.core.errors import PrerequisiteError
from deployer.core.home import make_folder


class NotOursError(PrerequisiteError):
    """Something else is in the place of a file of ours: a link, a folder, a pipe."""


def write_folder(
    out: Path, files: Mapping[str, str | Path], secret_files: Mapping[str, str | None]
) -> None:
    """Write texts and copies by path, and `secrets/<name>`; a secret of None is made, unless it is there.

    Raises:
        PrerequisiteError: the folder cannot be written.
    """
    with writing(out, hint="choose a folder that you can write to"):
        out.mkdir(parents=True, exist_ok=True)
        for path, source in files.items():
            _write_one(out, path, source)
        if secret_files:
            _secrets(out / "secrets", secret_files)


def _write_one(out: Path, path: str, source: str | Path) -> None:
    """Write a text or copy a file; what gets into an image is readable by the user that runs there."""
    file = out / path
    for folder in reversed(file.relative_to(out).parents[:-1]):
        (out / folder).mkdir(exist_ok=True)
        (out / folder).chmod(0o755)
    if isinstance(source, Path):
        from shutil import (
            copyfile,
        )  # late: it loads every kind of archive, and a plan copies nothing

        copyfile(source, file)
    else:
        file.write_text(source, encoding="utf-8")
    file.chmod(0o644)


def _secrets(folder: Path, values: Mapping[str, str | None]) -> None:
    """The folder is the owner's alone; containers read the files."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, value in values.items():
        file = folder / name
        if value is not None:
            file.unlink(missing_ok=True)
        if not file.exists():
            import secrets  # late: hashing costs a plan 8 ms

            made = f"dk-{secrets.token_urlsafe(32)}" if name == "api_key" else ""
            file.write_text(made if value is None else value)
            file.chmod(0o444)


def write_private(path: Path, text: str) -> None:
    """Write a file of ours, whole or not at all, which only its owner may read and a power cut does not take.

    Raises:
        PrerequisiteError: the disk is full or may not be written to.
    """
    make_folder(path.parent)
    check_own(path)
    with writing(path):
        replace_file(path, text, mode=0o600, lasting=True)


MOST_BYTES = 64 * 2**20
"""No file of ours is longer, a log apart."""


def read_own(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """Read a file of ours as UTF-8 text: never what a link leads to, nor a pipe, a folder or a device in its place.

    Raises:
        FileNotFoundError: there is none.
        NotOursError: something else is in its place.
        UnicodeDecodeError: it does not hold text.
        OSError: it may not be read.
    """
    with open_own(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise NotOursError(f"{path} is longer than any file of deployer's ({most_bytes} bytes)")
    return content.decode("utf-8")


def open_own(path: Path) -> BinaryIO:
    """Open a file of ours for reading, as `read_own` does, without waiting for anybody.

    Raises:
        FileNotFoundError: there is none.
        NotOursError: something else is in its place.
        OSError: it may not be read.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EMLINK):
            raise _in_its_place(path) from error
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise _in_its_place(path)
    return os.fdopen(opened, "rb")


@contextmanager
def unreadable(folder: Path) -> Iterator[None]:
    """Turn what is not text where a file of ours should be into an error with a hint."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise PrerequisiteError(
            f"a file of deployer's in {folder} is damaged: it does not hold text",
            hint="remove what is damaged there, then run 'deployer up', which writes it again",
            where=str(folder),
        ) from error


def check_own(path: Path) -> None:
    """See that a file of ours, where there is one, is a file.

    Raises:
        NotOursError: something else is in its place.
    """
    with suppress(FileNotFoundError, NotADirectoryError):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _in_its_place(path)


def _in_its_place(path: Path) -> NotOursError:
    kinds = (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    what = "something else"
    with suppress(OSError):
        mode = path.lstat().st_mode
        what = next((name for is_it, name in kinds if is_it(mode)), "something else")
    return NotOursError(
        f"{path} is {what}, where a file of deployer's should be",
        hint=f"move it away: mv {shlex.quote(str(path))} {shlex.quote(f'{path}.aside')}",
        where=str(path),
    )


def remove_own(path: Path) -> None:
    """Remove what lies at the place of a file or folder of ours, whatever it is; what a link leads to stays.

    Raises:
        OSError: this user may not remove it.
    """
    if path.is_dir() and not path.is_symlink():
        from shutil import rmtree  # late: it loads every kind of archive

        rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_output(path: Path, text: str) -> None:
    """Write a file that the user named: whole or not at all, or into the pipe or device that is there.

    Raises:
        PrerequisiteError: it cannot be written there.
    """
    with writing(path, hint="choose a file in a folder that you can write to"):
        place = path.resolve()  # a link stays one
        if place.exists() and not place.is_file():
            place.write_text(text, encoding="utf-8")
        else:
            mode = place.stat().st_mode & 0o777 if place.exists() else 0o666
            replace_file(place, text, mode=mode)


def replace_file(path: Path, text: str, *, mode: int, lasting: bool = False) -> None:
    """Put a file of UTF-8 text in place at once: who reads there sees the one before or this one.

    `mode` are its permissions, less what the umask takes. `lasting` waits until it is on the disk.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}")
    try:
        draft.unlink(missing_ok=True)  # of a process that was killed and had this one's number
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(opened, "w", encoding="utf-8") as file:
            file.write(text)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


DISK_HINT = "free some disk space, or set DEPLOYER_HOME to a folder that you can write to"


@contextmanager
def writing(path: Path, hint: str = DISK_HINT) -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into an error with a hint."""
    try:
        yield
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write {path}: {error.strerror}", hint=hint, where=str(path)
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be read into an error with a hint; one that is missing passes."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PrerequisiteError(
            f"cannot read {path}: {error.strerror}",
            hint="check who owns it and its permissions (ls -ld)",
            where=str(path),
        ) from error

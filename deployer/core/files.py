"""Files are written here: whole or not at all, and readable to those who need them alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident

from deployer.core.errors import PrerequisiteError
from deployer.core.home import make_folder


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
    with writing(path):
        replace_file(path, text, mode=0o600, lasting=True)


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
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
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

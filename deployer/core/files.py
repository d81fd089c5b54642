"""A folder of files for the user: written whole, with its secrets readable to those who need them alone."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfile

from deployer.core.errors import PrerequisiteError
from deployer.core.home import make_folder


def write_folder(
    out: Path, files: Mapping[str, str | Path], secret_files: Mapping[str, str | None]
) -> None:
    """Write texts and copies by path, and `secrets/<name>`; a secret of None is made, unless it is there.

    Raises:
        PrerequisiteError: the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, source in files.items():
            _write_one(out, path, source)
        if secret_files:
            _secrets(out / "secrets", secret_files)
    except OSError as error:
        raise PrerequisiteError(
            f"{out} cannot be written: {error.strerror}",
            hint="give a folder that you may write to",
            where=str(out),
        ) from None


def _write_one(out: Path, path: str, source: str | Path) -> None:
    """Write a text or copy a file; what gets into an image is readable by the user that runs there."""
    file = out / path
    for folder in reversed(file.relative_to(out).parents[:-1]):
        (out / folder).mkdir(exist_ok=True)
        (out / folder).chmod(0o755)
    if isinstance(source, Path):
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
            made = f"dk-{secrets.token_urlsafe(32)}" if name == "api_key" else ""
            file.write_text(made if value is None else value)
            file.chmod(0o444)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        PrerequisiteError: the disk is full or may not be written to.
    """
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with writing(path):
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
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into an error with a hint."""
    try:
        yield
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write {path}: {error.strerror}",
            hint="free some disk space, or set DEPLOYER_HOME to a folder that can be written to",
            where=str(path),
        ) from error

"""Where this tool keeps its things: state, keys, logs, caches."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from deployer.core.errors import PrerequisiteError, quoted


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return `DEPLOYER_HOME`, else the platform's user data folder, made readable by its owner alone.

    Raises:
        PrerequisiteError: it cannot be made, this user may not read it, or others may write to it.
    """
    given = (os.environ if environ is None else environ).get("DEPLOYER_HOME")
    folder = make_folder(_named(given) if given else platform_folder())
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PrerequisiteError(
            f"cannot read the folder {folder}: this user may not",
            hint="set DEPLOYER_HOME to a folder of your own, or give that one back to its user (chown)",
            where=str(folder),
        )
    _check_own(folder)
    return folder


def _check_own(folder: Path) -> None:
    """Refuse a folder in which others can put files in place of ours: state, keys and what is run lie there."""
    seen = folder.stat()
    if seen.st_uid != os.geteuid():
        raise PrerequisiteError(
            f"the folder {folder} belongs to another user (uid {seen.st_uid})",
            hint="set DEPLOYER_HOME to a folder of your own",
            where=str(folder),
        )
    if seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PrerequisiteError(
            f"other users may write to the folder {folder} (mode {stat.S_IMODE(seen.st_mode):04o})",
            hint=f"take that from them (chmod go-w {shlex.quote(str(folder))}), or set DEPLOYER_HOME to"
            " a folder of your own",
            where=str(folder),
        )


def make_folder(folder: Path) -> Path:
    """Make a folder that only its owner may read (0700 whatever the umask), and what is missing above it.

    Raises:
        PrerequisiteError: it cannot be made.
    """
    try:
        _make(folder)
    except OSError as error:
        raise PrerequisiteError(
            f"cannot create the folder {folder}: {error.strerror}",
            hint="set DEPLOYER_HOME to a folder that you can write to",
            where=str(folder),
        ) from error
    return folder


def _make(folder: Path) -> None:
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make(folder.parent)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if folder.is_dir():  # another process was faster
            return
        raise
    folder.chmod(0o700)  # the umask may have taken rights that its owner needs


def _named(given: str) -> Path:
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:  # ~name of a user that there is not
        raise PrerequisiteError(
            f"DEPLOYER_HOME is {quoted(given)}, and there is no such user",
            hint="set DEPLOYER_HOME to the full path of a folder",
        ) from error


def platform_folder() -> Path:
    """Return the platform's user data folder for this tool, made or not.

    Raises:
        PrerequisiteError: this user has no home folder.
    """
    from platformdirs import user_data_path

    folder = user_data_path("deployer", appauthor=False)
    if not folder.is_absolute():  # "~" stands for nothing
        raise PrerequisiteError(
            "this user has no home folder",
            hint="set DEPLOYER_HOME to a folder that you can write to",
        )
    return folder

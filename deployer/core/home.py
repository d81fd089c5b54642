"""Where this tool keeps its things: state, keys, logs, caches."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deployer.core.errors import PrerequisiteError, quoted


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return `DEPLOYER_HOME`, else the platform's user data folder, made readable by its owner alone.

    Raises:
        PrerequisiteError: it cannot be made, or this user may not read it.
    """
    given = (os.environ if environ is None else environ).get("DEPLOYER_HOME")
    folder = make_folder(_named(given) if given else _platform())
    if not os.access(folder, os.R_OK | os.X_OK):
        raise PrerequisiteError(
            f"cannot read the folder {folder}: this user may not",
            hint="set DEPLOYER_HOME to a folder of your own, or give that one back to its user (chown)",
            where=str(folder),
        )
    return folder


def make_folder(folder: Path) -> Path:
    """Make a folder that only its owner may read (0700), and what lies above it.

    Raises:
        PrerequisiteError: it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PrerequisiteError(
            f"cannot create the folder {folder}: {error.strerror}",
            hint="set DEPLOYER_HOME to a folder that you can write to",
            where=str(folder),
        ) from error
    return folder


def _named(given: str) -> Path:
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:  # ~name of a user that there is not
        raise PrerequisiteError(
            f"DEPLOYER_HOME is {quoted(given)}, and there is no such user",
            hint="set DEPLOYER_HOME to the full path of a folder",
        ) from error


def _platform() -> Path:
    from platformdirs import user_data_path

    folder = user_data_path("deployer", appauthor=False)
    if not folder.is_absolute():  # "~" stands for nothing
        raise PrerequisiteError(
            "this user has no home folder",
            hint="set DEPLOYER_HOME to a folder that you can write to",
        )
    return folder

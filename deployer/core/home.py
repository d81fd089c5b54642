"""Where this tool keeps its things: state, keys, logs, caches."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from deployer.core.errors import PrerequisiteError


def home(environ: Mapping[str, str] | None = None) -> Path:
    """Return `DEPLOYER_HOME`, else the platform's user data folder, made readable by its owner alone.

    Raises:
        PrerequisiteError: it cannot be made.
    """
    given = (os.environ if environ is None else environ).get("DEPLOYER_HOME")
    folder = Path(given).expanduser().absolute() if given else _platform()
    return make_folder(folder)


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


def _platform() -> Path:
    from platformdirs import user_data_path

    return user_data_path("deployer", appauthor=False)

"""Files that run the reaper without anybody: a cron line, systemd units, a GitHub workflow."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployer.core.errors import PrerequisiteError
from deployer.core.templates import render
from deployer.core.units import duration
from deployer.providers.cloud import Login

FILES: Mapping[str, Mapping[str, str]] = {
    "cron": {"deployer-idle.cron": "idle/cron.j2"},
    "systemd": {
        "deployer-idle.service": "idle/systemd.service.j2",
        "deployer-idle.timer": "idle/systemd.timer.j2",
    },
    "github": {".github/workflows/deployer-idle.yml": "idle/github.yml.j2"},
}
"""By place: each file with its template."""


def files(
    place: str,
    verb: str,
    scopes: Sequence[str],
    idle_for_s: int | None,
    logins: Sequence[Login],
) -> dict[str, str]:
    """Render the files of one place. The command in them needs the clouds' credentials where it runs (`logins`)."""
    words = ["deployer", "idle", verb, "--yes"]
    for scope in scopes:
        words += ["--region", scope]
    if idle_for_s is not None:
        words += ["--idle-for", duration(idle_for_s)]
    told = {"command": shlex.join(words), "words": words, "logins": logins}
    return {path: render(template, **told) for path, template in FILES[place].items()}


def write(path: Path, text: str) -> None:
    """Write one file.

    Raises:
        PrerequisiteError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write {path}: {error.strerror}",
            hint="choose a folder that you may write to with --out",
            where=str(path),
        ) from error

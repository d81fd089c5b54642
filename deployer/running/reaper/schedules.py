"""Files that run the reaper without anybody: a cron line, systemd units, a GitHub workflow."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from deployer.core import installation
from deployer.core.errors import PrerequisiteError, UsageError
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
INSTALLED = ("github",)
"""Places that begin with a machine without deployer."""


def files(
    place: str,
    verb: str,
    regions: Sequence[str],
    idle_for_s: int | None,
    logins: Sequence[Login],
    install: str | None = None,
) -> dict[str, str]:
    """Render the files of one place. The command in them needs the clouds' credentials where it runs, and nothing else.

    Args:
        place: a key of `FILES`.
        verb: stop or destroy.
        regions: where to look; none is wherever the command looks by itself.
        idle_for_s: for how long a machine must have been idle; None is what each deployment says.
        logins: how it gets those credentials.
        install: the shell command that installs deployer where there is none yet; None is the copy that is
            running, pinned.

    Raises:
        UsageError: no other machine could install that copy; or nothing is installed at that place.
    """
    words = ["deployer", "idle", verb, "--yes"]
    for region in regions:
        words += ["--region", region]
    if idle_for_s is not None:
        words += ["--idle-for", duration(idle_for_s)]
    told = {
        "command": shlex.join(words),
        "words": words,
        "logins": logins,
        "install": _install(place, install),
    }
    return {path: render(template, **told) for path, template in FILES[place].items()}


def _install(place: str, given: str | None) -> str | None:
    if place not in INSTALLED:
        if given is not None:
            raise UsageError(
                f"what runs by {place} uses the deployer of that machine",
                hint="leave out --install, which is for: " + ", ".join(INSTALLED),
            )
        return None
    if given is not None:
        return given
    requirement = installation.this().elsewhere()
    if requirement is None:
        raise UsageError(
            "this copy of deployer cannot be installed on another machine from where it came from",
            hint="say how it is installed there, for example: --install"
            f" \"pip install '{installation.DISTRIBUTION} @ git+https://HOST/REPOSITORY@COMMIT'\"",
        )
    return shlex.join(["pip", "install", requirement])


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
            hint="choose a folder that you can write to with --out",
            where=str(path),
        ) from error
